"""Diagnoses that a model made in earlier sessions, found again by all that they depend on."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pytest_refinery.analysis.schemas import SCHEMA_VERSION, Diagnosis

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from pytest_refinery.analysis.ports import Case

_FOLDER = "refinery-diagnoses"


class DiagnosisCache:
    """A folder in pytest's own cache: ``--cache-clear`` empties it, without the cache plugin there is none.

    Args:
        fingerprint: A text that differs wherever diagnoses of the same case might.
    """

    def __init__(self, config: pytest.Config, fingerprint: str) -> None:
        cache: pytest.Cache | None = getattr(config, "cache", None)
        self._folder: Path | None = cache.mkdir(_FOLDER) if cache else None
        self._fingerprint = fingerprint

    def find(self, case: Case) -> Diagnosis | None:
        """Return the diagnosis of a case, marked as cached."""
        path = self._path(case)
        try:
            found = Diagnosis.model_validate_json(path.read_text(encoding="utf-8")) if path else None
        except (OSError, ValidationError):
            return None
        return found and found.model_copy(update={"cached": True})

    def keep(self, case: Case, found: Diagnosis) -> None:
        """Keep a diagnosis if it is whole."""
        path = self._path(case)
        if path is None or found.partial:
            return
        try:
            draft = path.with_suffix(".draft")
            draft.write_text(found.model_dump_json(), encoding="utf-8")
            draft.replace(path)
        except OSError:
            # A cache that cannot be written costs the next session, not this one.
            return

    def _path(self, case: Case) -> Path | None:
        if self._folder is None:
            return None
        content = f"{SCHEMA_VERSION}\n{self._fingerprint}\n{_content(case)}"
        return self._folder / f"{hashlib.sha256(content.encode()).hexdigest()}.json"


def _content(case: Case) -> str:
    known = {
        "trace": case.trace.model_dump(exclude={"source"}),
        "expect": case.expect,
        "business_context": case.business_context,
        "failures": [gap.model_dump() for gap in case.failures],
        "prompt_files": [(file.path, file.text) for file in case.prompt_files],
        "eval_files": [(file.path, file.text) for file in case.eval_files],
    }
    return json.dumps(known, sort_keys=True, default=str)

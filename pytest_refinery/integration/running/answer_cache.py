"""What a model answered in earlier sessions, found again by all that it depends on."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from pytest_refinery import shared_file
from pytest_refinery.analysis.records import JudgeRecord, JudgeVerdict
from pytest_refinery.analysis.schemas import SCHEMA_VERSION, Diagnosis

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from pytest_refinery.analysis.ports import Case

_FOLDER = "refinery-answers"
A = TypeVar("A", bound=BaseModel)


class AnswerCache:
    """A folder in pytest's own cache: ``--cache-clear`` empties it, without the cache plugin there is none.

    Args:
        fingerprint: A text that differs wherever answers about the same case might.
    """

    def __init__(self, config: pytest.Config, fingerprint: str) -> None:
        cache: pytest.Cache | None = getattr(config, "cache", None)
        self._folder: Path | None = None
        if cache:
            with suppress(OSError):
                self._folder = shared_file.private_folder(cache.mkdir(_FOLDER))
        self._fingerprint = fingerprint

    def diagnosis(self, case: Case) -> Diagnosis | None:
        """Return the diagnosis of a case, marked as cached."""
        found = self._find(Diagnosis, f"diagnosis\n{_content(case)}")
        return found and found.model_copy(update={"cached": True})

    def store_diagnosis(self, case: Case, found: Diagnosis) -> None:
        """Keep a diagnosis if it is whole."""
        if not found.partial:
            self._keep(found, f"diagnosis\n{_content(case)}")

    def verdict(self, case: Case, *, trials: int, pass_rate: float) -> JudgeRecord | None:
        """Return the judge's verdict on a case, marked as cached."""
        found = self._find(JudgeRecord, f"verdict {trials} {pass_rate}\n{_content(case)}")
        return found and found.model_copy(update={"cached": True})

    def store_verdict(self, case: Case, found: JudgeRecord) -> None:
        """Keep a verdict if it is one."""
        if found.verdict != JudgeVerdict.UNDECIDED:
            self._keep(found, f"verdict {found.trials} {found.pass_rate}\n{_content(case)}")

    def _find(self, kind: type[A], content: str) -> A | None:
        path = self._path(content)
        try:
            return kind.model_validate_json(shared_file.read_text(path) or "") if path else None
        except ValidationError:
            return None

    def _keep(self, answer: BaseModel, content: str) -> None:
        # A cache that cannot be written costs the next session, not this one.
        with suppress(OSError):
            if path := self._path(content):
                shared_file.replace(path, answer.model_dump_json())

    def _path(self, content: str) -> Path | None:
        if self._folder is None:
            return None
        whole = f"{SCHEMA_VERSION}\n{self._fingerprint}\n{content}"
        return self._folder / f"{hashlib.sha256(whole.encode()).hexdigest()}.json"


def _content(case: Case) -> str:
    known = {
        "trace": case.trace.model_dump(exclude={"source"}),
        "expect": case.expect,
        "business_context": case.business_context,
        "failures": [asdict(failure) for failure in case.failures],
        "prompt_files": [(file.path, file.text) for file in case.prompt_files],
        "eval_files": [(file.path, file.text) for file in case.eval_files],
    }
    return json.dumps(known, sort_keys=True, default=str)

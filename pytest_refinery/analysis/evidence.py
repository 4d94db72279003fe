"""Looks quotes up in the trace: evidence is what the code has found again.

White space is folded on both sides. A quote may come from a run's values as recorded, from
their JSON, or from the run's lines in the digest, which is all that a model was shown.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from pytest_refinery.digest.lines import fold
from pytest_refinery.traces import json_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_refinery.analysis.schemas import Evidence
    from pytest_refinery.traces.model import Run, Trace

_SHORTEST_QUOTE = 3


class Verifier:
    """Verifies evidence against one trace."""

    def __init__(self, trace: Trace, *, shown: Mapping[str, str]) -> None:
        """Look in ``trace`` and in what an analyst was shown of it, by run id."""
        self._trace = trace
        self._shown = shown
        self._text_of = lru_cache(maxsize=None)(self._folded_text)

    def verified(self, found: Iterable[Evidence]) -> tuple[Evidence, ...]:
        """Return the evidence with ``verified`` set, each quote once.

        A quote that stands in another run than the one named is led to the first run that
        has it.
        """
        seen: dict[tuple[str, str], Evidence] = {}
        for evidence in found:
            checked = self._check(evidence)
            seen.setdefault((checked.run_id, fold(checked.quote)), checked)
        return tuple(seen.values())

    def _check(self, evidence: Evidence) -> Evidence:
        quote = fold(evidence.quote)
        is_long_enough = len(quote) >= _SHORTEST_QUOTE
        candidates = self._candidates(evidence.run_id) if is_long_enough else ()
        found = next((run_id for run_id in candidates if quote in self._text_of(run_id)), None)
        run_id = found or evidence.run_id
        known = {"run_id": run_id, "run_number": self._trace.numbers.get(run_id), "verified": found is not None}
        return evidence.model_copy(update=known)

    def _candidates(self, named: str) -> Iterator[str]:
        if named in self._trace.by_id:
            yield named
        yield from (run.id for run in self._trace.runs if run.id != named)

    def _folded_text(self, run_id: str) -> str:
        run = self._trace.by_id[run_id]
        return fold("\n".join((*_texts(run), self._shown.get(run_id, ""))))


def _texts(run: Run) -> Iterator[str]:
    yield run.name
    if run.error:
        yield run.error
    for value in (run.inputs, run.outputs):
        if value is not None:
            yield from (text for _, text in json_values.leaves(value) if isinstance(text, str))
            yield json.dumps(value, ensure_ascii=False, default=str)

"""Makes the trace of an agent that was re-run the new recording of its expectation, where the user wants that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery import wiring
from pytest_refinery.analysis.records import Outcome
from pytest_refinery.traces import saving

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.traces.model import Trace

PASSED, ALL = "passed", "all"
_OUTCOMES = {PASSED: {Outcome.PASSED}, ALL: {Outcome.PASSED, Outcome.FAILED}}


def updated(record: ItemRecord, trace: Trace, *, reference: str | None, base: Path, when: str) -> ItemRecord:
    """Write ``trace`` into the file that the expectation names; return the record with a note of it.

    Args:
        record: The item's record with its outcome.
        trace: What the agent did, in the trial that the record shows.
        reference: The trace that the expectation names.
        base: The folder that it is relative to.
        when: ``passed``, or ``all`` to replace the recording also where the expectation failed.
    """
    if record.trace is None or record.outcome not in _OUTCOMES[when]:
        return record
    said = _write(trace, reference, base)
    return record.model_copy(update={"trace": record.trace.model_copy(update={"notes": (*record.trace.notes, said)})})


def _write(trace: Trace, reference: str | None, base: Path) -> str:
    path = base / reference if reference else None
    if path is None or path.suffix not in {".json", ".jsonl"}:
        named = reference or "the expectation names no trace"
        return f"No recording was updated (--refinery-update): {named} is no .json file of one trace."
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(saving.text(wiring.build_scrubber().trace(trace)), encoding="utf-8")
    except OSError as error:
        return f"No recording was updated: {reference} cannot be written ({error.strerror or error})."
    return f"The recording {reference} was updated with the trace of this run."

"""Failures as annotations, in the workflow commands that GitHub reads from a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.records import Outcome
from pytest_refinery.reports.escape import line, shortened
from pytest_refinery.reports.text import candidate, changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.analysis.schemas import SuggestedFix

MOST = 10
"""GitHub shows no more error annotations of one step."""
_CHARACTERS = 1_000


def annotations_of(items: Iterable[ItemRecord], *, path: Callable[[str], str]) -> list[str]:
    """Return a command for each of the first items, at the line of its expectation.

    ``path`` turns a file's name in a record into the one that it has in the repository.
    """
    items = list(items)
    commands = [_command(item, path(item.expectation.file)) for item in items[:MOST]]
    if len(items) > MOST:
        commands[-1:] = [_last(len(items) - MOST + 1)]
    return commands


def _command(item: ItemRecord, file: str) -> str:
    place = {"file": file, "line": str(item.expectation.line), "title": item.expectation.id}
    properties = ",".join(f"{key}={_property(value)}" for key, value in place.items())
    return f"::error {properties}::{_data(_message(item))}"


def _last(left: int) -> str:
    return f"::error title=pytest-refinery::{left} more expectations are not met; the summary of the job names them."


def _message(item: ItemRecord) -> Iterator[str]:
    if item.outcome == Outcome.FAILED:
        yield f"Not met: {item.expectation.expect}"
    if item.diagnosis:
        yield f"Root cause: {item.diagnosis.root_cause or 'not determined.'}"
        if not item.diagnosis.is_determined:
            yield from (f"Candidate: {candidate(each)}" for each in item.diagnosis.candidates)
        if item.diagnosis.suggested_fix:
            yield f"Fix: {_in_words(item.diagnosis.suggested_fix)}"
    if item.error:
        yield item.error


def _in_words(fix: SuggestedFix) -> str:
    """Return what the fix adds to its file, else why it is suggested."""
    added = " ".join(change[1:] for change in changes(fix) if change.startswith("+"))
    return f"{fix.file or fix.component}: {added or fix.why}"


def _data(paragraphs: Iterable[str]) -> str:
    return "%0A".join(_percent(shortened(line(each), most=_CHARACTERS)) for each in paragraphs)


def _property(value: str) -> str:
    return _percent(line(value)).replace(":", "%3A").replace(",", "%2C")


def _percent(text: str) -> str:
    # What `line` leaves has no line ends.
    return text.replace("%", "%25")

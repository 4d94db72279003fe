"""What a loader notes: what it found no place for, and records that are not one whole tree."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from pytest_refinery.traces.model import Run

_SHOWN = 8
# What a record may call a failure, and the names of such fields that its formats read.
_FAILURE = re.compile(
    r"(?:.*[^a-z])?(?:is_?)?(?:error|exception|fail|status|outcome|success)(?:[^a-z].*|s|ed|ful|ure)?"
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# Fields of these that hold a word or a flag, never a number.
_WORDED = frozenset({"is_error", "isError", "status", "error_info", "errorInfo"})
_FLAGS = frozenset({"is_error", "isError"})
_FLAG_WORDS = frozenset({"", "true", "false"})
_READ_FAILURES = frozenset(
    {"error", "is_error", "isError", "errorText", "errorMessage", "error_message", "errorCode", "error_code", "status"}
    | {
        "exception",
        "outcome",
        "error_info",
        "errorInfo",
        "last_error",
        "statusMessage",
        "status_message",
        "tool_call_error",
    }
    | {"status_code", "error_preview", "exit_status", "status_description", "statusCode", "error_type", "errors"}
    | {"exception_type", "is_exception", "otel.status_code", "otel_status_code", "otel_status_message"}
)
_PAYLOADS = frozenset({"arguments", "args", "input", "inputs", "output", "outputs", "result", "response", "attributes"})


@dataclass
class Tally:
    """How many things of one kind there were, and which of them found no place.

    Attributes:
        what: The sentence's subject, such as ``Attributes kept as metadata only``.
        total: All things of the kind.
        unmapped: Those without a place, by name.
    """

    what: str
    total: int = 0
    unmapped: Counter[str] = field(default_factory=Counter)

    def add(self, total: int, unmapped: Iterable[str]) -> None:
        """Count ``total`` more things, ``unmapped`` of them without a place."""
        self.total += total
        self.unmapped.update(list(unmapped))

    def notes(self) -> tuple[str, ...]:
        """Return the sentence, nothing where all has found its place."""
        if not self.unmapped:
            return ()
        names = [name[:60] for name, _ in self.unmapped.most_common()]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return (f"{self.what}: {self.unmapped.total()} of {self.total} ({', '.join(names[:_SHOWN])}{more}).",)


def described(record: object) -> str:
    """Return a word for a record that no one knows: its type, or its first keys."""
    if not isinstance(record, Mapping):
        return kind_of(record)
    kind = record.get("type")
    return kind if isinstance(kind, str) else " ".join(list(map(str, record))[:3]) or "empty"


def failure_notes(records: Iterable[object]) -> Iterator[str]:
    """Yield a sentence where records have fields that may say that something failed and that no format reads."""
    if fields := dict.fromkeys(chain.from_iterable(map(_unread_failures, records))):
        yield f"Fields that may say that something failed, not read: {', '.join([*fields][:_SHOWN])}."


def _unread_failures(record: object) -> Iterator[str]:
    for item in record if isinstance(record, list) else ():
        yield from _unread_failures(item)
    for key, item in record.items() if isinstance(record, Mapping) else ():
        if _may_fail(key):
            yield from [key] if (item is False if "succe" in key.lower() else item and item != "none") else ()
        elif isinstance(item, list | dict):
            yield from () if key in _PAYLOADS else _unread_failures(item)
        elif (key in _WORDED and isinstance(item, int) and not isinstance(item, bool)) or (
            key in _FLAGS and isinstance(item, str) and item.lower() not in _FLAG_WORDS
        ):
            yield key


@cache
def _may_fail(key: str) -> bool:
    return key not in _READ_FAILURES and _FAILURE.fullmatch(_CAMEL.sub("_", key).lower()) is not None


def tree_notes(runs: Sequence[Run], trace_ids: Collection[object]) -> Iterator[str]:
    """Yield a sentence where records are of several traces, and one where parents are missing."""
    if len(trace_ids) > 1:
        yield f"The file holds {len(trace_ids)} traces; they are read as one, in the order of their times."
    ids = {run.id for run in runs}
    orphans = sum(run.parent_id is not None and run.parent_id not in ids for run in runs)
    if orphans:
        yield f"Runs that stand as roots because their parent is not in the file: {orphans}."


def kind_of(value: object) -> str:
    """Return what JSON calls a value, with its article."""
    if isinstance(value, bool | int | float):
        return "true or false" if isinstance(value, bool) else "a number"
    return {list: "a list", str: "a text", type(None): "null"}.get(type(value), "an object")

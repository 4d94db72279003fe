"""Tool calls that do not fit what was asked, or what came before them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.llm.builtin import words
from pytest_refinery.llm.builtin.detectors.errors import closed_by
from pytest_refinery.llm.builtin.reading import Sign, is_thought, values

if TYPE_CHECKING:
    from pytest_refinery.llm.builtin.reading import Reading
    from pytest_refinery.traces.conversation import Step
    from pytest_refinery.traces.model import ToolCall

# Changes that leave nothing of a record; others name the part that they change.
_ENDS_IT = re.compile(r"cancel|delete|remove|close|void|terminate|drop|refund", re.IGNORECASE)

# Shorter values with a digit in them are quantities.
_SHORTEST_ID = 5
# Dates follow from "last month" as well as from words in the trace.
_DATE = re.compile(r"\d{4}-\d\d")
_MOST_LISTED = 3


def repeated_calls(reading: Reading) -> Iterator[Sign]:
    """Find the same call made again although it had brought nothing new before."""
    seen: dict[str, Step] = {}
    for step in reading.steps:
        for call in step.calls:
            key = f"{call.name}{json.dumps(call.arguments, sort_keys=True, default=str)}"
            if key in seen and not is_thought(call):
                yield Sign(
                    step=step,
                    rule="repeated_call",
                    what=f"{call.name} is called again with the same arguments as in step {seen[key].number}.",
                    failure_type=FailureType.ORCHESTRATION_ISSUE,
                    quote=call.name,
                    subject=call.name,
                )
            seen.setdefault(key, step)


def wider_than_asked(reading: Reading) -> Iterator[Sign]:
    """Find a change to a whole record where the user named only some of its parts."""
    for step in reading.steps:
        request = reading.request(step)
        for call in step.calls if request is not None else ():
            record = _record(reading, step, call) if _ENDS_IT.search(call.name) else None
            named, others = _parts(record, _spoken(reading, step)) if record is not None else ([], [])
            if named and others and not _arguments_name_a_part(call, record):
                yield Sign(
                    step=step,
                    rule="wider_than_asked",
                    what=f"{call.name} changes the whole record, though the user spoke only of {_listed(named)} "
                    f"and not of {_listed(others)}.",
                    failure_type=FailureType.PROMPT_ISSUE,
                    quote=words.quote(request.text) if request else call.name,
                    quoted=request,
                    subject=call.name,
                )


def _spoken(reading: Reading, step: Step) -> frozenset[str]:
    """Return the content words of the user's last two requests."""
    last = reading.request(step)
    users = filter(None, (last, reading.request(last) if last else None))
    return frozenset().union(*(reading.vocabulary[user.number - 1] for user in users))


def _record(reading: Reading, step: Step, call: ToolCall) -> Mapping[str, object] | None:
    """Return the record that a result before ``step`` gave for the first argument of ``call``."""
    known = reading.records.get(next(values(call.arguments), ""), ())
    return next((record for number, record in reversed(known) if number < step.number), None)


def _parts(record: Mapping[str, object], spoken: frozenset[str]) -> tuple[list[str], list[str]]:
    """Return the names of the record's parts that were spoken of, and the others."""
    names = [str(part["name"]) for part in _entries(record) if "name" in part]
    named = [name for name in names if words.content(name) & spoken]
    return named, [name for name in names if name not in named]


def _entries(record: Mapping[str, object]) -> list[Mapping[str, object]]:
    return [part for value in record.values() if isinstance(value, list) for part in value if isinstance(part, Mapping)]


def _arguments_name_a_part(call: ToolCall, record: Mapping[str, object] | None) -> bool:
    given = set(values(call.arguments))
    ids = {str(value) for part in _entries(record or {}) for key, value in part.items() if key.endswith("id")}
    return bool(given & ids) or any(isinstance(value, list) for value in _items(call))


def _items(call: ToolCall) -> list[object]:
    return list(call.arguments.values()) if isinstance(call.arguments, Mapping) else []


def closed_doors(reading: Reading) -> Iterator[Sign]:
    """Find a change after which another change to the same record was refused."""
    for step in reading.steps:
        earlier = closed_by(reading, step)
        if earlier is not None and step.answers is not None:
            yield Sign(
                step=earlier,
                rule="closed_door",
                what=f"{earlier.calls[0].name} came first here and made {step.answers.name} impossible afterwards: "
                f"“{words.shown(step.text)}”.",
                failure_type=FailureType.ORCHESTRATION_ISSUE,
                quote=words.quote(step.text),
                quoted=step,
                subject=step.answers.name,
            )


def unknown_arguments(reading: Reading) -> Iterator[Sign]:
    """Find identifiers in calls that neither the user nor any tool has mentioned."""
    for step in reading.steps:
        for call in step.calls:
            invented = [
                value for value in values(call.arguments) if _is_identifier(value) and _is_new(reading, value, step)
            ]
            if invented:
                yield Sign(
                    step=step,
                    rule="unknown_argument",
                    what=f"{call.name} is called with {words.shown(invented[0])}, which nobody had mentioned before.",
                    failure_type=FailureType.MODEL_LIMITATION,
                    quote=invented[0],
                    subject=call.name,
                )


def _is_new(reading: Reading, value: str, step: Step) -> bool:
    return any(reading.first_named[token] == step.number for token in words.tokens(value))


def _is_identifier(value: str) -> bool:
    is_plain = " " in value or len(value) < _SHORTEST_ID or _DATE.match(value)
    return not is_plain and any(char.isdigit() for char in value)


def _listed(names: list[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = " and more" if len(distinct) > _MOST_LISTED else ""
    return f"{', '.join(distinct[:_MOST_LISTED])}{more}"

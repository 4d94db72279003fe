"""Reads the runs of a trace in the order in which things happened.

A run's inputs are read when it starts and its outputs when it ends, so that a message belongs
to the run that made it and not to the chain around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_refinery.digest import lines, setups
from pytest_refinery.digest.message_store import Item, MessageStore
from pytest_refinery.digest.omissions import Omission, Omissions
from pytest_refinery.traces import messages
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Run, Trace

_WORTH_AN_ITEM = 120
_RESPONSE_METADATA = frozenset(
    {"id", "object", "created", "created_at", "model", "model_name", "index", "logprobs", "system_fingerprint"}
    | {"service_tier", "usage", "usage_metadata", "llm_output", "generation_info", "response_metadata", "token_usage"}
)
_LAYERS = frozenset({"choices", "generations", "candidates", "delta"})
_ENDS = frozenset({"finish_reason", "stop_reason", "finishReason"})
_USUAL_ENDS = frozenset(
    {"stop", "STOP", "tool_calls", "tool_call", "function_call", "end_turn", "tool_use", "stop_sequence"}
)


@dataclass(slots=True)
class Side:
    """What went into a run, or came out of it: item numbers, and the rest on one line."""

    numbers: list[int] = field(default_factory=list)
    rest: str = ""


@dataclass(slots=True)
class Sheet:
    """What one run says, and the items that belong below it.

    ``ending`` is why a model stopped, where that was not because it had done.
    """

    inputs: Side = field(default_factory=Side)
    outputs: Side = field(default_factory=Side)
    ending: str = ""
    error: int | None = None
    setup: setups.Setup = field(default_factory=setups.Setup)
    items: list[Item] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reading:
    """A trace as read.

    Attributes:
        sheets: What each run says, by run id.
        previews: Role and first words of each item; ``m1`` comes first.
        left_out: What no sheet has, in words; empty where that is nothing.
    """

    sheets: dict[str, Sheet]
    previews: tuple[str, ...]
    left_out: str


def read(trace: Trace) -> Reading:
    """Read the runs of ``trace``."""
    return _Reader(trace).reading()


class _Reader:
    def __init__(self, trace: Trace) -> None:
        self._store = MessageStore()
        self._omissions = Omissions()
        self._trace = trace
        self._sheets = {run.id: Sheet() for run in trace.runs}
        self._setups = setups.Setups(self._store)
        self._homes: list[str] = []
        self._only_read: set[int] = set()

    def reading(self) -> Reading:
        for run, is_start in _events(self._trace):
            self._read(run, self._sheets[run.id], is_start=is_start)
        if self._store.has_nameless_copies:
            self._omissions.add(Omission.SPEAKERS)
        for item, run_id in zip(self._store.items, self._homes, strict=True):
            self._sheets[run_id].items.append(item)
        return Reading(self._sheets, tuple(item.preview for item in self._store.items), str(self._omissions))

    def _read(self, run: Run, sheet: Sheet, *, is_start: bool) -> None:
        known = len(self._homes)
        if is_start:
            self._note(run)
            self._start(run, sheet)
            self._only_read.update(number for number in sheet.inputs.numbers if number > known)
        else:
            self._end(run, sheet)
            self._bring_home(run, sheet)
        self._homes.extend([run.id] * (len(self._store.items) - known))

    def _bring_home(self, run: Run, sheet: Sheet) -> None:
        """Move here what a child was the first to read and this run gives without having got it."""
        made = self._only_read.intersection(sheet.outputs.numbers).difference(sheet.inputs.numbers)
        for number in made:
            if self._trace.numbers[self._homes[number - 1]] >= self._trace.numbers[run.id]:
                self._homes[number - 1] = run.id
                self._only_read.remove(number)

    def _note(self, run: Run) -> None:
        self._omissions.note(run)
        if lines.is_cut(run.name):
            self._omissions.add(Omission.NAMES)

    def _start(self, run: Run, sheet: Sheet) -> None:
        got = messages.read(run.inputs)
        rest: object = got.rest
        if run.kind in {RunKind.LLM, RunKind.MESSAGE}:
            settings, rest = setups.divided(run, rest)
            sheet.setup = self._setups.add(settings)
            if sheet.setup.has_new_tools:
                self._omissions.add(Omission.TOOL_DESCRIPTIONS)
        sheet.inputs.numbers = [self._store.add(message) for message in got.messages]
        call = self._store.call(run.name, rest) if run.kind == RunKind.TOOL else None
        if call is None:
            self._add_rest(sheet.inputs, rest)
        else:
            sheet.inputs.rest = f"arguments of m{call}"

    def _end(self, run: Run, sheet: Sheet) -> None:
        gave = messages.read(run.outputs)
        rest: object = gave.rest
        sheet.outputs.numbers = [self._store.add(message) for message in gave.messages]
        if run.kind == RunKind.LLM:
            sheet.ending = next(_unusual_ends(run.outputs), "")
            rest = self._without_metadata(rest) if gave.messages else rest
        self._add_rest(sheet.outputs, rest)
        if run.error is not None:
            sheet.error = self._store.add_text(run.error, kind="error")

    def _add_rest(self, side: Side, rest: object) -> None:
        if rest is None:
            return
        written = self._store.compact(rest)
        if len(written) < _WORTH_AN_ITEM:
            side.rest = written
        else:
            side.numbers.append(self._store.add_value(written))

    def _without_metadata(self, rest: object) -> object:
        kept = _pruned(rest)
        if kept != rest:
            self._omissions.add(Omission.RESPONSE_METADATA)
        return kept


def _events(trace: Trace) -> Iterator[tuple[Run, bool]]:
    """Yield each run twice: ``True`` when it starts, ``False`` when it and its children have ended."""
    started: list[Run] = []
    for run in trace.runs:
        while started and started[-1].id != run.parent_id:
            yield started.pop(), False
        yield run, True
        started.append(run)
    while started:
        yield started.pop(), False


def _pruned(value: object) -> object:
    """Return what a model's response says beside its messages, ``None`` where that is nothing."""
    if isinstance(value, list):
        return [kept for kept in map(_pruned, value) if kept is not None] or None
    if not isinstance(value, Mapping):
        return value
    stated = {key: item for key, item in value.items() if not _is_metadata(key, item)}
    # Only a vendor's own layers: what the model was asked to fill in may have an "id" too.
    kept = {key: _pruned(item) if key in _LAYERS else item for key, item in stated.items()}
    return {key: item for key, item in kept.items() if item is not None} or None


def _is_metadata(key: str, value: object) -> bool:
    is_usual = (key, value) in {("type", "LLMResult"), ("status", "completed")} if isinstance(value, str) else False
    return is_usual or key in _RESPONSE_METADATA or key in _ENDS


def _unusual_ends(value: object) -> Iterator[str]:
    """Yield why the model stopped in the middle: at its limit, by a filter."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in _ENDS and isinstance(item, str) and item not in _USUAL_ENDS:
                yield item
            else:
                yield from _unusual_ends(item)
    elif isinstance(value, list):
        for item in value:
            yield from _unusual_ends(item)

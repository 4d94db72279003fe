"""Trace, run and message: what every other room means by these words.

The words are LangSmith's. A trace is a tree of runs; a run has inputs and outputs as plain
JSON values, exactly as they were recorded. Messages are read out of those values by
``traces.messages`` when somebody needs them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict

from pytest_refinery.errors import TraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")
Json: TypeAlias = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_CHANGEABLE = ("inputs", "outputs", "metadata", "settings", "template", "usage")
EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


class RunKind(StrEnum):
    """The run kinds that LangSmith knows; a run of any other kind keeps its own word."""

    LLM = "llm"
    TOOL = "tool"
    CHAIN = "chain"
    RETRIEVER = "retriever"
    EMBEDDING = "embedding"
    PROMPT = "prompt"
    PARSER = "parser"
    MESSAGE = "message"
    """One message of a plain chat transcript."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's request to call a tool.

    Attributes:
        arguments: The parsed object; where a model wrote something that is no JSON object, that text.
        id: What the result refers to it by, where the trace has it.
    """

    name: str
    arguments: Mapping[str, Json] | str = field(default_factory=dict)
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message, whatever serialisation it came in.

    Attributes:
        role: ``system``, ``user``, ``assistant`` or ``tool`` where the source's word means one, else that word.
        name: The speaker or the tool.
        tool_call_id: The call that a tool's message answers.
        thinking: What a model thought before it wrote, where the trace has it.
        attached: The kinds of its images, files and the like, which are not read.
        unknown: The kinds of its blocks that could not be read.
    """

    role: str
    text: str
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    is_error: bool = False
    thinking: str = ""
    attached: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class Run(BaseModel):
    """One step of a trace.

    Attributes:
        id: The id as the trace has it; in a chat transcript the 0-based index as text.
        parent_id: The run that it is a part of; ``None`` for a root.
        kind: A ``RunKind`` value, or the source's own word.
        inputs: What went in, as recorded.
        outputs: What came out, as recorded; ``None`` where nothing did.
        error: The error text, or ``None``.
        is_pending: It had not ended when the trace was recorded.
        settings: Model settings of an LLM run (``model``, ``temperature``, ``tools``, ...).
        template: The serialised prompt or component of the run, where the trace carries one.
        usage: ``input_tokens``, ``output_tokens`` and ``total_tokens`` as far as recorded.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    id: str
    name: str
    kind: str
    parent_id: str | None = None
    inputs: object = None
    outputs: object = None
    error: str | None = None
    is_pending: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, object] = {}
    settings: dict[str, object] = {}
    template: object = None
    usage: dict[str, int] = {}

    @property
    def seconds(self) -> float | None:
        """Duration, where both times are known."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()


class Trace(BaseModel):
    """A tree of runs in the order in which they started, parents before their children.

    Attributes:
        source: Where it came from, for messages to the user.
        format: ``langsmith`` or ``transcript`` (each message one run), or another source's word.
        notes: What the loader could not map or had to assume, one sentence each.
        calls_unknown: Why calls of tools may be missing in it, empty where all are recorded.
        is_live: It was recorded in this process, by a test or a re-run agent; what its runs took differs each time.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    runs: tuple[Run, ...]
    source: str = ""
    format: str = "langsmith"
    notes: tuple[str, ...] = ()
    calls_unknown: str = ""
    is_live: bool = False

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, without what was derived from the fields of this one."""
        copied = super().model_copy(update=update, deep=deep)
        for name in vars(copied).keys() - type(self).model_fields.keys():
            del vars(copied)[name]
        return copied

    def derived(self, make: Callable[[Trace], T]) -> T:
        """Return what a function makes of the trace; made once, as expectations about one trace stand together."""
        known: dict[object, T] = vars(self).setdefault("_derived", {})
        if make not in known:
            known[make] = make(self)
        return known[make]

    @cached_property
    def by_id(self) -> dict[str, Run]:
        """The runs by their id."""
        return {run.id: run for run in self.runs}

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The 1-based place of each run in the trace, by run id."""
        return {run.id: number for number, run in enumerate(self.runs, start=1)}

    @cached_property
    def roots(self) -> tuple[Run, ...]:
        """The runs without a parent in this trace, in order."""
        return tuple(run for run in self.runs if run.parent_id not in self.by_id)

    @property
    def root(self) -> Run:
        """The last root: the one that holds the final answer."""
        return self.roots[-1]

    @cached_property
    def children(self) -> dict[str, tuple[Run, ...]]:
        """The direct children of each run that has some, by run id."""
        found: dict[str, list[Run]] = {}
        for run in self.runs:
            if run.parent_id in self.by_id and run.parent_id is not None:
                found.setdefault(run.parent_id, []).append(run)
        return {run_id: tuple(runs) for run_id, runs in found.items()}

    @cached_property
    def is_log_of_calls(self) -> bool:
        """Whether it holds model calls alone, whose inputs then are the only record of what the tools did."""
        return all(run.kind == RunKind.LLM for run in self.runs)

    def ancestors(self, run: Run) -> Iterator[Run]:
        """Yield the parent of a run, then its parent, up to the root."""
        while run.parent_id in self.by_id and run.parent_id is not None:
            run = self.by_id[run.parent_id]
            yield run

    def below(self, run: Run) -> Iterator[Run]:
        """Yield the runs inside a run, at any depth."""
        waiting = list(self.children.get(run.id, ()))
        while waiting:
            run = waiting.pop()
            yield run
            waiting += self.children.get(run.id, ())

    def within(self, inner: Callable[[Run], object], outer: Callable[[Run], object]) -> frozenset[str]:
        """Return the ids of the runs whose ``inner`` is the ``outer`` of a run around them; ``None`` is like nothing.

        One walk, however deep the runs are nested.
        """
        found: set[str] = set()
        around: Counter[object] = Counter()
        waiting = [(run, False) for run in self.roots]
        while waiting:
            run, is_left = waiting.pop()
            if is_left:
                around[outer(run)] -= 1
                continue
            if (key := inner(run)) is not None and around[key]:
                found.add(run.id)
            around[outer(run)] += 1
            waiting.append((run, True))
            waiting += ((child, False) for child in self.children.get(run.id, ()))
        return frozenset(found)

    @cached_property
    def seconds(self) -> float | None:
        """From the first start to the last end, where the trace has times."""
        starts = [run.started_at for run in self.runs if run.started_at is not None]
        ends = [run.ended_at for run in self.runs if run.ended_at is not None]
        return (max(ends) - min(starts)).total_seconds() if starts and ends else None


def independent(trace: Trace) -> Trace:
    """Return a trace that other people's code may change: it shares no list and no dict with the one given."""
    known: dict[int, object] = {}
    runs = tuple(
        run.model_copy(update={name: _copied(getattr(run, name), known) for name in _CHANGEABLE}) for run in trace.runs
    )
    return trace.model_copy(update={"runs": runs})


def _copied(value: object, known: dict[int, object]) -> object:
    if type(value) is not dict and type(value) is not list:
        return value
    if id(value) not in known:
        if isinstance(value, dict):
            known[id(value)] = {name: _copied(item, known) for name, item in value.items()}
        else:
            known[id(value)] = [_copied(item, known) for item in value]
    return known[id(value)]


def in_order(runs: list[Run], *, source: str) -> tuple[Run, ...]:
    """Return runs as a depth-first walk of their tree, siblings by start and end time.

    Runs whose parent is missing stand as roots. Where a start time is missing, the order of the file decides.

    Args:
        runs: In the order of the file.
        source: Where they come from, for messages to the user.

    Raises:
        TraceError: Two runs share an id, or parents form a cycle.
    """
    ids = _unique_ids(runs, source=source)
    waiting: dict[str | None, list[Run]] = {}
    for run in runs:
        waiting.setdefault(run.parent_id if run.parent_id in ids else None, []).append(run)
    walked: list[Run] = []
    stack = _by_start(waiting.pop(None, []))[::-1]
    while stack:
        run = stack.pop()
        walked.append(run)
        stack.extend(reversed(_by_start(waiting.pop(run.id, []))))
    if waiting:
        lost = next(iter(waiting.values()))[0]
        msg = f"{source}: the parents of run {lost.id} form a cycle, so the trace has no order."
        raise TraceError(msg)
    return tuple(walked)


def _unique_ids(runs: list[Run], *, source: str) -> set[str]:
    ids: set[str] = set()
    for run in runs:
        if run.id in ids:
            msg = f"{source}: two runs have the id {run.id}; ids must differ within a trace."
            raise TraceError(msg)
        ids.add(run.id)
    return ids


def _by_start(siblings: list[Run]) -> list[Run]:
    last = (EARLIEST, EARLIEST)
    keyed: list[tuple[tuple[datetime, datetime], Run]] = []
    for run in siblings:
        if run.started_at is not None:
            # Of two that start in one tick of a coarse clock, the one that ended first came first.
            last = (run.started_at, run.ended_at or LATEST)
        keyed.append((last, run))
    return [run for _, run in sorted(keyed, key=lambda pair: pair[0])]

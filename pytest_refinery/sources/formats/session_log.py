"""Sessions of coding agents, written line by line, as runs: a root, and the model's and the tools' below it.

A log has what was said one after the other; a model's run gets what was new since its last one,
a tool's run what the model called it with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, count
from typing import TYPE_CHECKING

from pytest_refinery.traces import messages
from pytest_refinery.traces.model import Run, RunKind, ToolCall, Trace, in_order

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pytest_refinery.traces.model import Json


@dataclass
class _Draft:
    """A run that is being written."""

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
    settings: dict[str, object] = field(default_factory=dict)
    usage: dict[str, int] = field(default_factory=dict)

    def run(self) -> Run:
        return Run(**vars(self))


class Thread:
    """What one agent was asked, said and got from its tools, in order; a sub-agent has a thread of its own."""

    def __init__(self, session: Session, parent_id: str) -> None:
        self._session = session
        self._parent_id = parent_id
        self._new: list[Json] = []
        self._is_asked = False
        self._speaking: _Draft | None = None
        self._last: _Draft | None = None
        self._at: datetime | None = None

    def tell(self, message: Json, *, at: datetime | None = None) -> None:
        """Take a message to the agent: the user's, the system's."""
        self._hear(message, at)
        self._is_asked = True

    def say(
        self,
        message: Json,
        *,
        id: str | None = None,  # noqa: A002  (the run's)
        at: datetime | None = None,
        model: str | None = None,
        usage: Mapping[str, int] | None = None,
        error: str | None = None,
    ) -> None:
        """Take a message of the agent; one that goes on with what it was saying belongs to the same run."""
        draft = self._continued(id) or self._open(id, model)
        draft.outputs = [*(draft.outputs if isinstance(draft.outputs, list) else []), message]
        draft.ended_at = at or draft.ended_at
        draft.usage = dict(usage or draft.usage)
        draft.error = error or draft.error
        self._speaking = self._last = draft
        for call in (call for said in messages.read(message).messages for call in said.tool_calls):
            self._call(call, at)

    def answer(
        self, call_id: str | None, message: Json, *, at: datetime | None = None, error: str | None = None
    ) -> None:
        """Take what a tool gave to a call, as the message that the agent gets to read."""
        draft = self._session.known(call_id)
        if draft is not None and draft.kind == RunKind.TOOL:
            draft.outputs, draft.error, draft.ended_at, draft.is_pending = message, error, at, False
        self._hear(message, at)

    def count(self, usage: Mapping[str, int]) -> None:
        """Take the token counts of what the agent said last."""
        if self._last is not None and usage:
            self._last.usage = dict(usage)

    @property
    def is_asked(self) -> bool:
        """Whether the agent has an input that it has not answered."""
        return self._is_asked

    def end(self) -> None:
        """Keep the agent's last input and has not answered: as what the model was to be called with."""
        if self._is_asked:
            self._open(None, None).is_pending = True

    def _hear(self, message: Json, at: datetime | None) -> None:
        self._new.append(message)
        self._speaking = None
        self._at = at or self._at

    def _continued(self, run_id: str | None) -> _Draft | None:
        """Return the run of what the agent was saying; a message with an id of its own begins another."""
        known = self._session.known(run_id)
        if run_id is None:
            return self._speaking
        return known if known is not None and known.kind == RunKind.LLM else None

    def _open(self, run_id: str | None, model: str | None) -> _Draft:
        draft = self._session.draft(run_id, model or "model", RunKind.LLM, self._parent_id)
        draft.inputs, self._new, self._is_asked = self._new or None, [], False
        draft.settings = {"model": model} if model else {}
        draft.started_at = self._at
        return draft

    def _call(self, call: ToolCall, at: datetime | None) -> None:
        draft = self._session.draft(call.id, call.name, RunKind.TOOL, self._parent_id)
        draft.inputs, draft.started_at, draft.is_pending = call.arguments, at, True


class Session:
    """Collects the runs of one session.

    Attributes:
        root: The run around all others; its fields may be set.
        main: The thread of the agent that the user talks to.
    """

    def __init__(self, name: str) -> None:
        self._drafts: dict[str, _Draft] = {}
        self._threads: list[Thread] = []
        self.root = self.draft(None, name, RunKind.CHAIN, None)
        self.main = self.thread(self.root.id)

    def __bool__(self) -> bool:
        return len(self._drafts) > 1 or any(thread.is_asked for thread in self._threads)

    def thread(self, parent_id: str) -> Thread:
        """Return a new thread, whose runs stand below ``parent_id``."""
        self._threads.append(Thread(self, parent_id))
        return self._threads[-1]

    def known(self, run_id: str | None) -> _Draft | None:
        """Return the run of an id, where there is one."""
        return self._drafts.get(run_id) if run_id is not None else None

    def draft(self, run_id: str | None, name: str, kind: str, parent_id: str | None) -> _Draft:
        """Return a new run; without an id, or with one that is taken, it gets its number for one."""
        numbered = (f"run-{number}" for number in count(len(self._drafts)))
        key = next(key for key in chain([run_id or ""], numbered) if key and key not in self._drafts)
        self._drafts[key] = _Draft(key, name, kind, parent_id)
        return self._drafts[key]

    def trace(self, *, id: str, source: str, format: str, notes: tuple[str, ...]) -> Trace:  # noqa: A002  (the trace's)
        """Return the trace of what was collected."""
        for thread in self._threads:
            thread.end()
        drafts = list(self._drafts.values())
        starts = [draft.started_at for draft in drafts if draft.started_at]
        ends = [draft.ended_at for draft in drafts if draft.ended_at]
        self.root.started_at, self.root.ended_at = min(starts, default=None), max(ends, default=None)
        runs = in_order([draft.run() for draft in drafts], source=source)
        return Trace(id=id, name=self.root.name, runs=runs, source=source, format=format, notes=notes)

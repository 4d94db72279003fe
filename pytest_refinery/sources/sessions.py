"""Sessions of coding agents, written line by line, as runs: a root, and the model's and the tools' below it.

A log has what was said one after the other; a model's run gets what was new since its last one,
a tool's run what the model called it with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
    """What one agent was told, said and got from its tools, in order; a sub-agent has a thread of its own."""

    def __init__(self, session: Session, parent_id: str) -> None:
        self._session = session
        self._parent_id = parent_id
        self._new: list[Json] = []
        self._speaking: _Draft | None = None
        self._last: _Draft | None = None
        self._at: datetime | None = None

    def tell(self, message: Json, *, at: datetime | None = None) -> None:
        """Take a message to the agent: the user's, the system's."""
        self._new.append(message)
        self._speaking = None
        self._at = at or self._at

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
        draft = self._session.known(id) or self._speaking or self._open(id, model)
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
        self.tell(message, at=at)

    def count(self, usage: Mapping[str, int]) -> None:
        """Take the token counts of what the agent said last."""
        if self._last is not None and usage:
            self._last.usage = dict(usage)

    def _open(self, run_id: str | None, model: str | None) -> _Draft:
        draft = self._session.draft(run_id, model or "model", RunKind.LLM, self._parent_id)
        draft.inputs, self._new = self._new or None, []
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
        self.root = self.draft(None, name, RunKind.CHAIN, None)
        self.main = Thread(self, self.root.id)

    def __bool__(self) -> bool:
        return len(self._drafts) > 1

    def known(self, run_id: str | None) -> _Draft | None:
        """Return the run of an id, where there is one."""
        return self._drafts.get(run_id) if run_id is not None else None

    def draft(self, run_id: str | None, name: str, kind: str, parent_id: str | None) -> _Draft:
        """Return a new run; without an id, or with one that is taken, it gets its number for one."""
        number = str(len(self._drafts))
        key = run_id if run_id is not None and run_id not in self._drafts else f"run-{number}"
        self._drafts[key] = _Draft(key, name, kind, parent_id)
        return self._drafts[key]

    def trace(self, *, id: str, source: str, format: str, notes: tuple[str, ...]) -> Trace:  # noqa: A002  (the trace's)
        """Return the trace of what was collected."""
        drafts = list(self._drafts.values())
        starts = [draft.started_at for draft in drafts if draft.started_at]
        ends = [draft.ended_at for draft in drafts if draft.ended_at]
        self.root.started_at, self.root.ended_at = min(starts, default=None), max(ends, default=None)
        runs = in_order([draft.run() for draft in drafts], source=source)
        return Trace(id=id, name=self.root.name, runs=runs, source=source, format=format, notes=notes)

"""The answer that a trace ends in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.traces import conversation, messages
from pytest_refinery.traces.model import EARLIEST, RunKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.traces.model import Message, Run, Trace

_NOT_THE_AGENT = frozenset({"user", "system", "tool"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the agent said in the end, and the run that said it; ``text`` is ``None`` where it said nothing."""

    text: str | None
    run: Run


def of(trace: Trace) -> Answer:
    """Return the answer of a trace: that of its last root, in a transcript the agent's last message.

    Where the root has ended well and has no outputs at all, as many tracers leave it, the answer
    is what a model said last.

    In a transcript of several named speakers that all have the role ``user``, as group chats
    are recorded, it is the last message.
    """
    if trace.root.kind == RunKind.MESSAGE:
        return _last_message(trace)
    if trace.root.outputs is None and trace.root.error is None and not trace.root.is_pending:
        return _last_of_a_model(trace)
    return Answer(messages.answer_text(trace.root.outputs), trace.root)


def all_of(trace: Trace) -> tuple[Answer, ...]:
    """Return everything that the agent said to somebody, in order, and as the last one the answer of the trace."""
    last = of(trace)
    others = _NOT_THE_AGENT - {"user"} if _is_group_chat(_spoken(trace)) else _NOT_THE_AGENT
    steps = [step for step in conversation.read(trace).steps if step.text.strip() and step.role not in others]
    said = [Answer(step.text, trace.by_id[step.run_id]) for step in steps]
    return (*(each for each in said if each.text != last.text), last)


def _spoken(trace: Trace) -> list[Message]:
    runs = trace.runs if trace.root.kind == RunKind.MESSAGE else ()
    return [message for run in runs for message in messages.read([run.outputs]).messages if message.text.strip()]


def _last_of_a_model(trace: Trace) -> Answer:
    said = [
        (run, text) for run in trace.runs if run.kind == RunKind.LLM and (text := messages.answer_text(run.outputs))
    ]
    if not said:
        return Answer(None, trace.root)
    # Of calls that ended at the same time, or at no known one, the last.
    run, text = max(reversed(said), key=lambda pair: pair[0].ended_at or EARLIEST)
    return Answer(text, run)


def _last_message(trace: Trace) -> Answer:
    spoken = [(m, run) for run in trace.runs for m in messages.read([run.outputs]).messages if m.text.strip()]
    others = frozenset({"system", "tool"}) if _is_group_chat([message for message, _ in spoken]) else _NOT_THE_AGENT
    for message, run in reversed(spoken):
        if message.role not in others:
            return Answer(message.text, run)
    return Answer(None, trace.root)


def _is_group_chat(spoken: Sequence[Message]) -> bool:
    return len({message.name for message in spoken if message.role == "user" and message.name}) > 1

"""A trace as the conversation it records: who said what, in order, and in which run.

The same conversation may be recorded as one nested tree, as one tree for each turn, or as a
bare transcript; read here, each of them gives the same steps. A message belongs to the deepest
run that brought it forth: the model's answer to the LLM run, a tool's result to the tool run,
a user's words to the run that supplied them, or that carried them first.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_refinery.traces import messages, prompts
from pytest_refinery.traces.model import Json, Message, RunKind, ToolCall

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Run, Trace

# "Orchestrator (-> WebSurfer)": a speaker, and whom it addresses.
_ADDRESSED = re.compile(r"^(?P<speaker>[^()]*[^()\s])\s*\((?P<note>[^()]*)\)$")
# What code executors of group chats answer with.
_EXECUTION = re.compile(r"^exitcode: -?\d+")
_EXECUTOR = re.compile(r"(computer|code|python)_?(terminal|executor|interpreter)$", re.IGNORECASE)
_KNOWN_ROLES = frozenset({"user", "assistant", "tool", "system"})
_SPOKEN_KINDS = frozenset({RunKind.LLM, RunKind.TOOL, RunKind.RETRIEVER, RunKind.MESSAGE})


@dataclass(frozen=True, slots=True)
class Step:
    """One message of the conversation.

    Attributes:
        number: The 1-based place in the conversation.
        run_number: The 1-based place of its run in the trace, by which every report names a step.
        role: ``system``, ``user``, ``assistant`` or ``tool``.
        speaker: Who speaks: an agent, a tool, or the role where no one is named.
        note: What stands in brackets behind a speaker's name, such as ``-> WebSurfer``.
        calls: The tool calls that an assistant asks for.
        answers: The call that a tool's step is the result of.
        is_error: The run failed, or the message says of itself that it is an error.
    """

    number: int
    run_number: int
    run_id: str
    role: str
    speaker: str
    text: str
    note: str = ""
    calls: tuple[ToolCall, ...] = ()
    answers: ToolCall | None = None
    is_error: bool = False


@dataclass(frozen=True)
class Conversation:
    """The steps of a trace in order; ``system`` are the distinct system prompts that stand outside of them."""

    steps: tuple[Step, ...]
    system: tuple[str, ...] = ()

    def following(self, step: Step) -> Step | None:
        """Return the step after ``step``."""
        return self.steps[step.number] if step.number < len(self.steps) else None


def read(trace: Trace) -> Conversation:
    """Return the conversation that ``trace`` records; without any message, its leaf runs are the steps."""
    return trace.derived(_read)


def _read(trace: Trace) -> Conversation:
    reader = _Reader(trace)
    for run in trace.runs:
        reader.take(run)
    reader.take_last_words()
    if not reader.steps:
        reader.take_leaves()
    reader.take_silent_failures()
    return Conversation(tuple(reader.steps), tuple(reader.system))


@dataclass
class _Reader:
    trace: Trace
    steps: list[Step] = field(default_factory=list)
    system: dict[str, None] = field(default_factory=dict)
    known: Counter[tuple[str, str]] = field(default_factory=Counter)
    supplied: list[tuple[Message, Run]] = field(default_factory=list)
    pending: list[ToolCall] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    # The runs around the last one that was looked at, the outermost first, with what each one alone carries.
    around: dict[str, list[object]] = field(default_factory=dict)
    carriers: dict[object, tuple[int, Run]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.speaking = _with_spoken_descendants(self.trace)
        is_group = len({run.name for run in self.trace.runs if run.kind == RunKind.MESSAGE} - _KNOWN_ROLES) > 1
        self.is_group_chat = self.trace.format == "transcript" and is_group

    def take(self, run: Run) -> None:
        if run.kind == RunKind.MESSAGE:
            self._take_transcribed(run)
        elif run.kind == RunKind.LLM:
            self._take_llm(run)
        elif run.kind in {RunKind.TOOL, RunKind.RETRIEVER}:
            self._take_tool(run)
        elif run.id not in self.speaking:
            self._take_silent(run)

    def take_last_words(self) -> None:
        """Add what a user supplied after the last model run, which no model has answered."""
        last = self.trace.numbers[self.steps[-1].run_id] if self.steps else 0
        for message, run in self.supplied:
            if self.trace.numbers[run.id] > last:
                self._add(run, message)

    def take_silent_failures(self) -> None:
        """Add the error of each run that said nothing else, where none of its children explains it."""
        spoken = {step.run_id for step in self.steps}
        for run in self.trace.runs:
            if run.error and run.id not in spoken and not self._is_explained(run):
                self._add(run, Message("assistant", run.error, name=run.name, is_error=True))

    def _is_explained(self, run: Run) -> bool:
        return any(child.error for child in self.trace.children.get(run.id, ()))

    def take_leaves(self) -> None:
        for run in self.trace.runs:
            if run.id not in self.trace.children:
                text = messages.answer_text(run.outputs) or run.error or ""
                self._add(run, Message("assistant", text, name=run.name, is_error=run.error is not None))

    def _take_transcribed(self, run: Run) -> None:
        for message in messages.read([run.outputs]).messages:
            # What an agent only thought is no step of a conversation.
            if message.text or message.tool_calls or not message.thinking:
                self._add(run, message)

    def _take_llm(self, run: Run) -> None:
        reading = messages.read(run.inputs)
        prompts = (*_bare_prompts(reading.rest), *reading.messages)
        for message in self._new_messages(prompts):
            self._take_input(run, message)
        answers = messages.read(run.outputs).messages or _bare_answer(run)
        for message in answers:
            self._add(run, message, is_error=run.error is not None)

    def _take_input(self, run: Run, message: Message) -> None:
        if message.role == "system":
            self.system.setdefault(message.text)
        elif message.role != "tool" or message.tool_call_id not in self.answered:
            self._add(self._supplier(run, message), message)

    def _new_messages(self, prompts: Iterable[Message]) -> list[Message]:
        """Return the messages that are more of their kind than the conversation has."""
        seen: Counter[tuple[str, str]] = Counter()
        new = []
        for message in prompts:
            key = _key(message)
            seen[key] += 1
            if seen[key] > self.known[key]:
                new.append(message)
        return new

    def _supplier(self, run: Run, message: Message) -> Run:
        for index, (supplied, supplier) in enumerate(self.supplied):
            if _key(supplied) == _key(message):
                del self.supplied[: index + 1]
                return supplier
        if not message.text:
            return run
        self._go_to(run)
        found = (self.carriers.get(carried) for carried in (_key(message), message.text))
        return min(filter(None, found), key=lambda carrier: carrier[0], default=(0, run))[1]

    def _go_to(self, run: Run) -> None:
        """Let ``carriers`` be what the runs around ``run`` were given, with the outermost that was given it."""
        entered: list[Run] = []
        last = None
        for above in self.trace.ancestors(run):
            if above.id in self.around:
                last = above.id
                break
            entered.append(above)
        while self.around and next(reversed(self.around)) != last:
            for carried in self.around.popitem()[1]:
                del self.carriers[carried]
        for above in reversed(entered):
            new = [carried for carried in _carried(above.inputs) if carried not in self.carriers]
            self.carriers |= dict.fromkeys(new, (len(self.around), above))
            self.around[above.id] = new

    def _take_tool(self, run: Run) -> None:
        found = messages.read(run.outputs).messages
        text = found[-1].text if found else messages.answer_text(run.outputs) or ""
        call_id = found[-1].tool_call_id if found else None
        message = Message("tool", text or run.error or "", run.name, tool_call_id=call_id)
        fallback = ToolCall(run.name, _arguments(run.inputs))
        self._add(run, message, is_error=run.error is not None or any(m.is_error for m in found), fallback=fallback)

    def _take_silent(self, run: Run) -> None:
        """Keep what a run without model and tool has supplied, such as a simulated user's words."""
        made = Counter(_key(message) for message in messages.read(run.inputs).messages)
        for message in messages.read(run.outputs).messages:
            made[_key(message)] -= 1
            if made[_key(message)] < 0 and message.role == "user":
                self.supplied.append((message, run))

    def _add(self, run: Run, message: Message, *, is_error: bool = False, fallback: ToolCall | None = None) -> None:
        role, speaker, note = self._roles(run, message)
        answers = self._answered(message, fallback) if role == "tool" else None
        self.pending.extend(message.tool_calls)
        if role == "tool" and message.tool_call_id is not None:
            self.answered.add(message.tool_call_id)
        self.known[_key(message)] += 1
        self.steps.append(
            Step(
                number=len(self.steps) + 1,
                run_number=self.trace.numbers[run.id],
                run_id=run.id,
                role=role,
                speaker=answers.name if answers is not None and speaker == "tool" else speaker,
                text=message.text,
                note=note,
                calls=message.tool_calls,
                answers=answers,
                is_error=is_error or message.is_error,
            )
        )

    def _roles(self, run: Run, message: Message) -> tuple[str, str, str]:
        parts = _ADDRESSED.match(message.role)
        word = parts["speaker"] if parts else message.role
        role = messages.role_of(word)
        speaker = message.name or (word if role not in _KNOWN_ROLES else _named(run, role))
        if _EXECUTION.match(message.text) or _EXECUTOR.search(speaker):
            role = "tool"
        elif role not in _KNOWN_ROLES or (self.is_group_chat and message.name and role == "user"):
            role = "assistant"
        return role, speaker, parts["note"] if parts else ""

    def _answered(self, message: Message, fallback: ToolCall | None) -> ToolCall | None:
        for index, call in enumerate(self.pending):
            if call.id == message.tool_call_id if message.tool_call_id else call.name == message.name:
                return self._taken(index)
        if fallback is None and self.pending and message.name is None:
            return self._taken(0)
        return fallback

    def _taken(self, index: int) -> ToolCall:
        call = self.pending.pop(index)
        if call.id is not None:
            self.answered.add(call.id)
        return call


def _with_spoken_descendants(trace: Trace) -> set[str]:
    found: set[str] = set()
    for run in trace.runs:
        for above in trace.ancestors(run) if run.kind in _SPOKEN_KINDS else ():
            if above.id in found:
                break
            found.add(above.id)
    return found


def _key(message: Message) -> tuple[str, str]:
    calls = [(call.id or "", call.name, str(call.arguments)) for call in message.tool_calls]
    return message.role, f"{message.text.strip()}{calls or ''}"


def _carried(value: object) -> set[object]:
    """Return what a run was given: the keys of its messages, and its texts that are none."""
    reading = messages.read(value)
    return {*map(_key, reading.messages), *_texts(reading.rest)}


def _texts(rest: object) -> list[str]:
    if isinstance(rest, str):
        return [rest]
    return [item for item in rest.values() if isinstance(item, str)] if isinstance(rest, Mapping) else []


def _bare_prompts(rest: object) -> tuple[Message, ...]:
    """Return the input of a model that is no message: a prompt, instructions."""
    found = prompts.bare_texts(rest if isinstance(rest, Mapping) else {"prompts": rest})
    return tuple(Message(role, text) for role, text in found)


def _bare_answer(run: Run) -> tuple[Message, ...]:
    text = messages.answer_text(run.outputs) if run.outputs is not None else run.error
    return (Message("assistant", text),) if text else ()


def _arguments(inputs: object) -> Mapping[str, Json] | str:
    if isinstance(inputs, Mapping):
        only = inputs.get("input") if len(inputs) == 1 else None
        return _arguments(only) if only is not None else inputs
    if isinstance(inputs, str):
        try:
            parsed = json.loads(inputs)
        except (ValueError, RecursionError):
            return inputs
        return parsed if isinstance(parsed, dict) else inputs
    return str(inputs) if inputs is not None else {}


def _named(run: Run, role: str) -> str:
    if role == "assistant" and run.kind == RunKind.LLM:
        return run.name
    return run.name if role == "tool" else role

"""A case as the detectors read it, and the signs that they give."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_refinery.analysis.schemas import Evidence
from pytest_refinery.llm.builtin import words
from pytest_refinery.traces import conversation
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.analysis.schemas import FailureType
    from pytest_refinery.traces.conversation import Conversation, Step
    from pytest_refinery.traces.model import ToolCall

_READS = re.compile(
    r"^(get|find|search|list|look|lookup|read|fetch|query|retrieve|check|calculate|calc|think|count|show|describe|"
    r"view|browse|open|load|validate|verify|compare|compute|plan|reason|summari[sz]e|select|ask)(_|-|[A-Z]|$)",
)
_THINKS = re.compile(r"^(think|plan|reason|reflect|calculate|calc|scratchpad)", re.IGNORECASE)
_SPOKEN_ID = re.compile(r"^(?P<words>[a-z]+(?:[_-][a-z]+)*)[_-]\d+$", re.IGNORECASE)
_CODE = re.compile(r"```(python|sh|bash|py)\b")
_HANDS_OVER = re.compile(r"transfer\w*(agent|person|support)|escalat|hand_?(off|over)|human|live_?agent", re.IGNORECASE)


@dataclass(frozen=True)
class Sign:
    """What a detector noticed about one step.

    Attributes:
        rule: The detector's word for it.
        what: A sentence that a domain expert understands.
        quote: Words of ``quoted`` (default: the step itself) that show it.
        strength: How clearly the sign is there, 0 to 1; the rule's own weight comes on top.
        subject: What is missing or was promised, for the fix and the gaps.
    """

    step: Step
    rule: str
    what: str
    failure_type: FailureType
    quote: str
    quoted: Step | None = None
    strength: float = 1.0
    subject: str = ""

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The quote as evidence, none where there is no quote."""
        run_id = (self.quoted or self.step).run_id
        return (Evidence(run_id=run_id, quote=self.quote, why=self.what),) if self.quote else ()


@dataclass(frozen=True)
class Reading:
    """The conversation of a case, and what follows from it for all detectors."""

    case: Case
    conversation: Conversation

    @classmethod
    def of(cls, case: Case) -> Reading:
        """Read the trace of ``case``."""
        return cls(case, conversation.read(case.trace))

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the conversation."""
        return self.conversation.steps

    @cached_property
    def prompts(self) -> tuple[str, ...]:
        """The system prompts in the trace."""
        spoken = (step.text for step in self.steps if step.role == "system")
        return tuple(dict.fromkeys((*self.conversation.system, *spoken)))

    @cached_property
    def told(self) -> str:
        """All that the agent was told about its work: system prompts and prompt files."""
        return "\n\n".join(dict.fromkeys((*self.prompts, *(file.text for file in self.case.prompt_files))))

    @cached_property
    def expected(self) -> frozenset[str]:
        """The content words of the expectation."""
        return words.content(self.case.expect)

    @cached_property
    def vocabulary(self) -> tuple[frozenset[str], ...]:
        """The content words of each step, in the order of the steps."""
        return tuple(words.content(step.text) for step in self.steps)

    @cached_property
    def tools(self) -> Mapping[str, Mapping[str, Any]]:
        """The tools the agent was offered, by name, with their parameter schemas as far as known."""
        offered: dict[str, Mapping[str, Any]] = {}
        for run in self.case.trace.runs:
            if run.kind == RunKind.LLM:
                offered |= dict(_offered(run.settings.get("tools") or run.settings.get("functions")))
            elif run.kind == RunKind.TOOL:
                offered.setdefault(run.name, {})
        for step in self.steps:
            for call in step.calls:
                offered.setdefault(call.name, {})
        return offered

    @cached_property
    def shape(self) -> str:
        """Return ``led`` (somebody gives orders to others), ``team`` (several agents) or ``desk`` (one agent)."""
        agents = [step for step in self.steps if step.role == "assistant"]
        if any(step.note.startswith("->") for step in agents):
            return "led"
        is_among_agents = all(step.role != "user" for step in self.steps)
        return "team" if self.case.trace.format == "transcript" and is_among_agents else "desk"

    @cached_property
    def leaders(self) -> frozenset[str]:
        """Return the agents that only plan and give orders."""
        return frozenset(step.speaker for step in self.steps if step.note)

    @cached_property
    def first_worker(self) -> Step | None:
        """The first step of an agent that is no leader."""
        return next((s for s in self.steps if s.role == "assistant" and s.speaker not in self.leaders), None)

    @cached_property
    def requests(self) -> tuple[Step | None, ...]:
        """What the user last said before each step, in the order of the steps."""
        return self._nearest("user")

    @cached_property
    def _nearest_assistants(self) -> tuple[Step | None, ...]:
        return self._nearest("assistant")

    def _nearest(self, role: str) -> tuple[Step | None, ...]:
        last: Step | None = None
        found: list[Step | None] = []
        for step in self.steps:
            found.append(last)
            last = step if step.role == role else last
        return tuple(found)

    def request(self, step: Step) -> Step | None:
        """Return what the user last said before ``step``."""
        return self.requests[step.number - 1]

    def turn(self, step: Step) -> Iterator[Step]:
        """Yield the steps between the last words of the user and ``step``, the nearest first."""
        return itertools.takewhile(lambda earlier: earlier.role != "user", self.conversation.backwards(step))

    @cached_property
    def _callers(self) -> Mapping[int, Step]:
        # A tool's step holds the very call that the assistant's step holds.
        return {id(call): step for step in self.steps for call in step.calls}

    def caller(self, step: Step) -> Step | None:
        """Return the assistant's step that led to a tool's step."""
        if step.role != "tool":
            return None
        return self._callers.get(id(step.answers)) or self._nearest_assistants[step.number - 1]

    @cached_property
    def results(self) -> Mapping[int, tuple[Step, ...]]:
        """The tool steps that answer an assistant's calls, by the number of the assistant's step."""
        answered: dict[int, list[Step]] = {}
        for step in self.steps:
            caller = self.caller(step)
            if caller is not None:
                answered.setdefault(caller.number, []).append(step)
        return {number: tuple(found) for number, found in answered.items()}

    @cached_property
    def _parsed(self) -> Mapping[int, object]:
        return {step.number: parsed(step.text) for step in self.steps if step.role == "tool"}

    def result(self, step: Step) -> object:
        """Return the JSON value that a tool's step holds, ``None`` where it is none."""
        return self._parsed.get(step.number)

    @cached_property
    def records(self) -> Mapping[str, Sequence[tuple[int, Mapping[str, object]]]]:
        """The objects that tools returned, by each of their plain values, with the number of the tool's step."""
        found: dict[str, list[tuple[int, Mapping[str, object]]]] = {}
        for number, record in self._parsed.items():
            if isinstance(record, Mapping):
                for value in filter(None, record.values()):
                    if isinstance(value, str):
                        found.setdefault(value, []).append((number, record))
        return found

    @cached_property
    def figures(self) -> Mapping[str, tuple[int, ...]]:
        """The numbers of the steps that have a figure; 0 stands for what the agent was told."""
        found: dict[str, list[int]] = {}
        for number, text in enumerate((self.told, *map(_with_calls, self.steps))):
            for figure in {words.normal(figure) for figure in words.figures(text)}:
                found.setdefault(figure, []).append(number)
        return {figure: tuple(numbers) for figure, numbers in found.items()}

    @cached_property
    def first_named(self) -> Mapping[str, int]:
        """The number of the first step that has a token; 0 stands for what the agent was told."""
        found: dict[str, int] = {}
        for number, text in enumerate((self.told, *map(_with_calls, self.steps))):
            for token in words.tokens(text):
                found.setdefault(token, number)
        return found


def has_code(step: Step) -> bool:
    """Tell whether a step holds a program to be run."""
    return bool(_CODE.search(step.text))


def is_write(call: ToolCall) -> bool:
    """Tell whether a tool's name says that the call changes something."""
    return not _READS.match(call.name)


def is_thought(call: ToolCall) -> bool:
    """Tell whether a tool only thinks or reckons."""
    return bool(_THINKS.match(call.name))


def is_handover(call: ToolCall) -> bool:
    """Tell whether a call hands the conversation to a human or another agent."""
    return bool(_HANDS_OVER.search(call.name))


def spoken_name(identifier: str) -> str:
    """Return the words that a user would say for ``credit_card_7952624``, or an empty string where there are none."""
    found = _SPOKEN_ID.match(identifier)
    return re.sub(r"[_-]", " ", found["words"]).lower() if found else ""


def values(value: object) -> Iterator[str]:
    """Yield the plain values in arguments, as text."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from values(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from values(item)
    elif value is not None:
        yield str(value)


def walk(value: object) -> Iterator[Mapping[str, object]]:
    """Yield every object in a JSON value, itself included."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def parsed(text: str) -> object:
    """Return the JSON value that a tool's text holds, or ``None``."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _with_calls(step: Step) -> str:
    return "\n".join((step.text, *(" ".join(values(call.arguments)) for call in step.calls)))


def _offered(tools: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, Mapping):
            inner = tool.get("function")
            described = inner if isinstance(inner, Mapping) else tool
            if isinstance(described.get("name"), str):
                yield described["name"], described

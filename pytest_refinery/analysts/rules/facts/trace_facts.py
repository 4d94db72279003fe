"""All that the rules know of a case before they judge: read once, linear in the trace, each part when it is needed."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pytest_refinery.analysts.rules.facts import calls, cues, parties, results, texts, values
from pytest_refinery.analysts.rules.facts.cues import Cues
from pytest_refinery.analysts.rules.facts.parties import Party
from pytest_refinery.analysts.rules.facts.records import Records
from pytest_refinery.expectations.output_check import folded
from pytest_refinery.traces import conversation
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.analysts.rules.facts.calls import Call
    from pytest_refinery.analysts.rules.facts.values import Value
    from pytest_refinery.traces.conversation import Step
    from pytest_refinery.traces.model import Run, Trace

T = TypeVar("T")

_SHORT_LINE = 20
_LONG_LINE = 1_000
_SAMPLE = 2_000
_LONGEST_READ = 400_000
# Texts that two figures are derived from; more would make every figure a sum of some two.
_MOST_ADDENDS = 60
_SHARE_OF_A_NAME = 0.4
# Expectations about one trace have the same prompts and languages, or few.
_MOST_SHARED = 4
_FEW_NEW_WORDS = 8
PROMPT = 0


class Source(StrEnum):
    """Where a value stands for the first time."""

    PERSON = "person"
    ENVIRONMENT = "environment"
    TOOL = "tool"
    PROMPT = "prompt"
    AGENT = "agent"
    NOWHERE = "nowhere"


_SOURCE_OF = {
    Party.PERSON: Source.PERSON,
    Party.ENVIRONMENT: Source.ENVIRONMENT,
    Party.TOOL: Source.TOOL,
    Party.SYSTEM: Source.PROMPT,
    Party.AGENT: Source.AGENT,
}


@dataclass(frozen=True)
class Rule:
    """A sentence of a prompt."""

    text: str
    stems: frozenset[str]


class _of_trace(Generic[T]):  # noqa: N801  (a decorator, as cached_property)
    """A cached property that cases have in common whose traces, prompts and languages are the same."""

    def __init__(self, make: Callable[[TraceFacts], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __get__(self, facts: TraceFacts, owner: type[TraceFacts]) -> T:
        name = self._make.__name__
        shared = facts._shared  # noqa: SLF001  (its own class)
        if name not in shared:
            shared[name] = self._make(facts)
        found: T = shared[name]
        # As cached_property does: found there, it is not asked for again.
        vars(facts)[name] = found
        return found


def _shared_by_cases(trace: Trace) -> dict[object, dict[str, Any]]:  # noqa: ARG001  (what it is kept with)
    return {}


class TraceFacts:
    """The facts of one case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.steps: tuple[Step, ...] = conversation.read(case.trace).steps

    @cached_property
    def _shared(self) -> dict[str, Any]:
        known = self.case.trace.derived(_shared_by_cases)
        key = (self.case.prompts, self.case.prompt_files, self.languages)
        if key not in known and len(known) >= _MOST_SHARED:
            known.clear()
        return known.setdefault(key, {})

    @classmethod
    def of(cls, case: Case) -> TraceFacts:
        """Read the trace of ``case``."""
        return cls(case)

    # Languages and prompts

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The languages of the conversation and its prompts, the conversation's first; ``""`` for an unknown one."""
        guesses = (cues.guess(text) for text in (self.given[:_SAMPLE], self.case.expect))
        return tuple(dict.fromkeys((*self.case.trace.derived(_languages_spoken), *guesses)))

    @property
    def has_cues(self) -> bool:
        """Whether the rules have words of the language in which the agent answers."""
        return bool(next(iter(self.languages), ""))

    @cached_property
    def cues(self) -> Cues:
        """The words that rules look for in this trace; tools and errors speak English anyway."""
        return Cues((*self.languages, "en"))

    @cached_property
    def prompts(self) -> tuple[str, ...]:
        """The distinct system prompts in the trace."""
        system = (prompt.text for prompt in self.case.prompts if prompt.kind == "system")
        spoken = (step.text for step in self.steps if step.role == "system")
        outside = conversation.read(self.case.trace).system if not self.case.prompts else ()
        return tuple(dict.fromkeys((*system, *spoken, *outside)))

    @cached_property
    def given(self) -> str:
        """All instructions of the agent: system prompts and prompt files."""
        return "\n\n".join(dict.fromkeys((*self.prompts, *(file.text for file in self.case.prompt_files))))

    @_of_trace
    def prompt_rules(self) -> tuple[Rule, ...]:
        """The sentences of the prompts."""
        sentences = dict.fromkeys(texts.sentences(self.given[:_LONGEST_READ], self.cues))
        return tuple(Rule(sentence, texts.content(sentence, self.cues)) for sentence in sentences)

    # Steps and parties

    @_of_trace
    def parties(self) -> parties.Parties:
        """Who speaks in each step."""
        return parties.read(self.case.trace, self.steps, Cues((*self.languages, "en")))

    def party(self, step: Step) -> Party:
        """Return who ``step`` belongs to."""
        return self.parties.of_step[step.number - 1]

    def is_agent(self, step: Step) -> bool:
        """Tell whether an agent speaks in ``step``."""
        return self.party(step) is Party.AGENT

    def is_person(self, step: Step) -> bool:
        """Tell whether a person speaks in ``step``."""
        return self.party(step) is Party.PERSON

    def is_source(self, step: Step) -> bool:
        """Tell whether a tool or an environment speaks in ``step``."""
        return self.party(step) in {Party.TOOL, Party.ENVIRONMENT}

    @_of_trace
    def agent_steps(self) -> tuple[Step, ...]:
        """The steps of agents."""
        return tuple(filter(self.is_agent, self.steps))

    @_of_trace
    def people_steps(self) -> tuple[Step, ...]:
        """The steps of people."""
        return tuple(filter(self.is_person, self.steps))

    @_of_trace
    def answers(self) -> tuple[Step, ...]:
        """The steps in which an agent says something to whom it works for."""
        return tuple(step for step in self.agent_steps if step.text.strip())

    @_of_trace
    def by_run(self) -> Mapping[str, tuple[Step, ...]]:
        """The steps of each run."""
        found: dict[str, list[Step]] = {}
        for step in self.steps:
            found.setdefault(step.run_id, []).append(step)
        return {run_id: tuple(steps) for run_id, steps in found.items()}

    def step_of(self, run_id: str | None) -> Step | None:
        """Return the last step of a run, or of the runs below it."""
        if run_id is None:
            return None
        if run_id in self.by_run:
            return self.by_run[run_id][-1]
        below = self._last_below(run_id)
        return self.by_run[below][-1] if below else None

    def _last_below(self, run_id: str) -> str:
        trace = self.case.trace
        inside = trace.below(trace.by_id[run_id]) if run_id in trace.by_id else ()
        return max((run.id for run in inside if run.id in self.by_run), key=trace.numbers.__getitem__, default="")

    @_of_trace
    def _requests(self) -> tuple[Step | None, ...]:
        last: Step | None = None
        found: list[Step | None] = []
        for step in self.steps:
            found.append(last)
            last = step if self.is_person(step) else last
        return tuple(found)

    def request(self, step: Step) -> Step | None:
        """Return what a person last said before ``step``."""
        return self._requests[step.number - 1]

    def before(self, step: Step) -> Iterator[Step]:
        """Yield the steps before ``step``, the nearest first."""
        return (self.steps[place] for place in range(step.number - 2, -1, -1))

    def turn(self, step: Step) -> Iterator[Step]:
        """Yield the steps between the last words of a person and ``step``, the nearest first."""
        for earlier in self.before(step):
            if self.is_person(earlier):
                return
            yield earlier

    @_of_trace
    def fresh(self) -> tuple[str, ...]:
        """What each step says that no step before it has said, line by line."""
        seen: set[str] = set()
        return tuple(_fresh(step.text, seen) for step in self.steps)

    @_of_trace
    def folded(self) -> tuple[str, ...]:
        """What is new in each step and in its calls, as checks compare texts."""
        return tuple(
            folded("\n".join((self.fresh[step.number - 1], *(call_text(call) for call in step.calls))))
            for step in self.steps
        )

    def first_with(self, text: str, *, after: int = 0) -> Step | None:
        """Return the first step after step ``after`` that has ``text``."""
        wanted = folded(text)
        places = range(after, len(self.steps)) if wanted else ()
        return next((self.steps[place] for place in places if wanted in self.folded[place]), None)

    def stems(self, step: Step) -> frozenset[str]:
        """Return the words that carry the meaning of what is new in ``step``."""
        return self._stems[step.number - 1]

    @_of_trace
    def _stems(self) -> tuple[frozenset[str], ...]:
        return tuple(
            texts.content(" ".join((text[:_LONGEST_READ], *(c.name for c in step.calls))), self.cues)
            for step, text in zip(self.steps, self.fresh, strict=True)
        )

    # Calls and records

    @_of_trace
    def parsed(self) -> Mapping[int, object]:
        """The JSON of the results that hold some, by the number of the step."""
        found = {step.number: results.parsed(step.text) for step in self.steps if step.role == "tool"}
        return {number: value for number, value in found.items() if value is not None}

    @_of_trace
    def _bare_calls(self) -> list[Call]:
        return calls.collect(self.steps, self.parsed, self.cues)

    @_of_trace
    def records(self) -> Records:
        """What results said of which entity."""
        return Records(self.steps, self.parsed, self._bare_calls)

    @_of_trace
    def descriptions(self) -> Mapping[str, str]:
        """What the trace says of the tools that the agent was offered."""
        return calls.descriptions(self.case.trace)

    @_of_trace
    def effects(self) -> calls.Effects:
        """What is known about the effect of each tool."""
        found = calls.Effects(self.descriptions, self.cues)
        found.learn(self._bare_calls, self.records)
        return found

    @_of_trace
    def calls(self) -> tuple[Call, ...]:
        """The calls in order, with their effects."""
        return tuple(dataclasses.replace(call, effect=self.effects.of(call.name)) for call in self._bare_calls)

    @_of_trace
    def calls_of(self) -> Mapping[int, tuple[Call, ...]]:
        """The calls that each step made, by its number."""
        found: dict[int, list[Call]] = {}
        for call in self.calls:
            found.setdefault(call.step.number, []).append(call)
        return {number: tuple(made) for number, made in found.items()}

    @_of_trace
    def call_answered_by(self) -> Mapping[int, Call]:
        """The call that each result answers, by the number of the result's step."""
        return {call.result.number: call for call in self.calls if call.result is not None}

    @_of_trace
    def tools(self) -> frozenset[str]:
        """The tools that were offered or called."""
        return frozenset((*self.descriptions, *(call.name for call in self.calls)))

    def speaks_of(self, tool: str, stems: frozenset[str]) -> bool:
        """Tell whether words have the part of a tool's name that other tools do not share."""
        spread = Counter(word for name in self.tools | {tool} for word in self._name_stems(name))
        own = self._name_stems(tool)
        total = sum(1 / spread[word] for word in own)
        return bool(own) and sum(1 / spread[word] for word in own & stems) >= _SHARE_OF_A_NAME * total

    def _name_stems(self, tool: str) -> frozenset[str]:
        return texts.content(" ".join(calls.words_of_name(tool)), self.cues)

    @_of_trace
    def failures(self) -> tuple[Step, ...]:
        """The steps that report a failure, in order."""
        return tuple(
            step
            for step in self.steps
            if (step.role == "tool" and results.has_failed(step, self.parsed.get(step.number), self.cues))
            or (step.is_error and step.role != "user")
        )

    @_of_trace
    def informative(self) -> tuple[Step, ...]:
        """The steps in which a tool or an environment brought more than a few new words."""
        return tuple(step for step in self.steps if self.is_source(step) and self._is_informative(step))

    def _is_informative(self, step: Step) -> bool:
        failed = results.has_failed(step, self.parsed.get(step.number), self.cues)
        return not failed and len(self.stems(step) | set(map(str, self.values[step.number - 1]))) > _FEW_NEW_WORDS

    # Values

    @_of_trace
    def values(self) -> tuple[tuple[Value, ...], ...]:
        """The values in what is new in each step and in its calls."""
        return tuple(tuple(self._values(step)) for step in self.steps)

    def _values(self, step: Step) -> Iterator[Value]:
        yield from values.find(self.fresh[step.number - 1][:_LONGEST_READ], self._cues_of(step))
        if step.role == "tool":
            yield from values.find(self._structured(step), _ENGLISH)
        for call in step.calls:
            yield from values.find(call_text(call), _ENGLISH)

    def _structured(self, step: Step) -> str:
        """Return what a tool's run recorded beside the text that the agent was shown."""
        run = self.case.trace.by_id[step.run_id]
        if run.kind not in {RunKind.TOOL, RunKind.RETRIEVER} or isinstance(run.outputs, str):
            return ""
        recorded = "\n".join(map(values.as_text, values.leaves(run.outputs)))[:_LONGEST_READ]
        return "" if recorded.strip() == step.text.strip() else recorded

    def _cues_of(self, step: Step) -> Cues:
        return self.cues if step.role in {"user", "assistant"} else _ENGLISH

    @_of_trace
    def holders(self) -> Mapping[tuple[str, str], tuple[int, ...]]:
        """The numbers of the steps that have a value, in order; 0 stands for the agent's instructions."""
        found: dict[tuple[str, str], list[int]] = {}
        told = values.find(self.given[:_LONGEST_READ], self.cues)
        for number, held in enumerate((told, *self.values)):
            for key in {key for value in held for key in value.keys}:
                found.setdefault(key, []).append(number)
        return {key: tuple(numbers) for key, numbers in found.items()}

    def holding(self, value: Value, *, before: int | None = None) -> tuple[int, ...]:
        """Return the steps that have a value, only those before step ``before``."""
        numbers = sorted({number for key in value.keys for number in self.holders.get(key, ())})
        return tuple(number for number in numbers if before is None or number < before)

    def source(self, value: Value, *, before: int | None = None) -> tuple[Source, Step | None]:
        """Return who had a value first, and in which step."""
        numbers = self.holding(value, before=before)
        if not numbers:
            return Source.NOWHERE, None
        if numbers[0] == PROMPT:
            return Source.PROMPT, None
        step = self.steps[numbers[0] - 1]
        return _SOURCE_OF[self.party(step)], step

    def has_source(self, value: Value, *, before: int) -> bool:
        """Tell whether a person, a tool, an environment or a prompt had a value before step ``before``."""
        return any(
            number == PROMPT or not self.is_agent(self.steps[number - 1])
            for number in self.holding(value, before=before)
        )

    def is_derived(self, value: Value, *, before: int) -> bool:
        """Tell whether a figure follows from figures that stood before: as sum, difference, product or share."""
        target = value.number
        known = self._figures_before(before, near=target)
        return target in _derived(known)

    def _figures_before(self, before: int, *, near: float) -> list[float]:
        del near
        found: dict[float, None] = {}
        for step in reversed(self.steps[: before - 1]):
            for value in self.values[step.number - 1] if not self.is_agent(step) else ():
                if value.kind == values.FIGURE and len(found) < _MOST_ADDENDS:
                    found.setdefault(value.number)
        return list(found)

    @cached_property
    def expected_values(self) -> tuple[Value, ...]:
        """The values that the expectation names."""
        return tuple(values.find(f"{self.case.expect}\n{self.case.business_context}", self.cues))

    def run(self, step: Step) -> Run:
        """Return the run of a step."""
        return self.case.trace.by_id[step.run_id]


_ENGLISH = Cues(("en",))


def _languages_spoken(trace: Trace) -> tuple[str, ...]:
    steps = conversation.read(trace).steps
    spoken = " ".join(step.text[:_SAMPLE] for step in steps if step.role in {"user", "assistant"})
    last = next((step.text for step in reversed(steps) if step.role == "assistant" and step.text.strip()), "")
    return cues.guess(last), cues.guess(spoken)


def call_text(call: object) -> str:
    """Return the arguments of a call as one text."""
    arguments = getattr(call, "arguments", {})
    given = arguments if isinstance(arguments, Mapping) else [arguments]
    return "\n".join(map(values.as_text, values.leaves(given)))


# Where a line that holds a whole history has its parts: entries of JSON, escaped line ends, sentences.
_PART = re.compile(r"(?<=\", )|(?<=\\n)|(?<=[.!?] )")


def _fresh(text: str, seen: set[str]) -> str:
    lines = text.split("\n")
    if len(lines) == 1 and len(text) < _LONG_LINE:
        fresh = "" if len(text) > 4 * _SHORT_LINE and text in seen else text
        seen.add(text)
        return fresh
    parts = [_PART.split(line) if len(line) >= _LONG_LINE else [line] for line in lines]
    new = ([part for part in each if len(part) < _SHORT_LINE or part not in seen] for each in parts)
    text = "\n".join("".join(each) for each in new if each)
    seen.update(part for each in parts for part in each)
    return text


def _derived(known: list[float]) -> set[float]:
    """Return what follows from two of the figures, to the cent, and the sum of all."""
    found = {round(sum(known), 2)}
    for place, one in enumerate(known):
        for other in known[place + 1 :]:
            found |= {round(one + other, 2), round(abs(one - other), 2), round(one * other, 2)}
    return found

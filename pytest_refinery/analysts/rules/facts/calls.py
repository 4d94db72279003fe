"""The calls of a trace: with what, with which result, and whether they changed something."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pytest_refinery.analysts.rules.facts import results, texts, values
from pytest_refinery.traces import model_calls
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.analysts.rules.facts.cues import Cues
    from pytest_refinery.analysts.rules.facts.records import Records
    from pytest_refinery.traces.conversation import Step
    from pytest_refinery.traces.model import ToolCall, Trace

_HEAD = 300
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+")


class Effect(IntEnum):
    """What a call does to the world; what is known better is greater."""

    READS = 0
    UNKNOWN = 1
    HINTED = 2
    """Only its name speaks of a change."""
    DESCRIBED = 3
    """Its description says that it changes something."""
    SEEN = 4
    """A record was another one after the call."""

    @property
    def is_change(self) -> bool:
        """Whether something speaks for a change."""
        return self >= Effect.HINTED


@dataclass(frozen=True)
class Call:
    """One call of a tool.

    Attributes:
        step: The agent's step that made it; the tool's own where no agent is known to have.
        result: The tool's step that answers it, ``None`` where nothing does.
        value: The result's JSON.
    """

    step: Step
    call: ToolCall
    result: Step | None
    value: object
    failed: bool
    effect: Effect

    @property
    def name(self) -> str:
        """The name of the tool."""
        return self.call.name

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The runs in which the call was made and answered."""
        return tuple({self.step.run_id: None} | ({self.result.run_id: None} if self.result else {}))

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments, empty where they are no object."""
        return self.call.arguments if isinstance(self.call.arguments, Mapping) else {}

    @property
    def shape(self) -> str:
        """Name and arguments in one form, to find the same call again."""
        return f"{self.name}{json.dumps(self.call.arguments, sort_keys=True, default=str, ensure_ascii=False)}"

    def leaves(self) -> Iterator[str]:
        """Yield the plain values of the arguments."""
        given = self.call.arguments if isinstance(self.call.arguments, Mapping) else [self.call.arguments]
        return map(values.as_text, values.leaves(given))

    @property
    def changed(self) -> bool:
        """Whether it seems to have changed something."""
        return self.effect.is_change and not self.failed and self.result is not None


def collect(steps: Sequence[Step], parsed: Mapping[int, object], cues: Cues) -> list[Call]:
    """Return the calls of the steps in order; their effects are not known yet."""
    callers = {id(call): step for step in steps for call in step.calls}
    answered: dict[int, Step] = {id(step.answers): step for step in steps if step.answers is not None}
    found: list[Call] = []
    for step in steps:
        found += [_call(step, call, answered.get(id(call)), parsed, cues) for call in step.calls]
        if step.answers is not None and id(step.answers) not in callers:
            found.append(_call(step, step.answers, step, parsed, cues))
    return found


def _call(step: Step, call: ToolCall, result: Step | None, parsed: Mapping[int, object], cues: Cues) -> Call:
    value = parsed.get(result.number) if result else None
    failed = result is not None and results.has_failed(result, value, cues)
    return Call(step, call, result, value, failed, Effect.UNKNOWN)


def descriptions(trace: Trace) -> dict[str, str]:
    """Return what the trace says of the tools that the agent was offered."""
    runs = (run for run in trace.runs if run.kind in {RunKind.LLM, RunKind.MESSAGE})
    return {tool.name: tool.description for run in runs for tool in model_calls.offered(run) if tool.name}


def words_of_name(name: str) -> list[str]:
    """Return the words of a tool's name."""
    return [part.lower() for part in _PARTS.findall(name)]


class Effects:
    """What is known about the effect of each tool."""

    def __init__(self, described: Mapping[str, str], cues: Cues) -> None:
        self._described = described
        self._cues = cues
        self._seen: set[str] = set()
        self._quoting: set[str] = set()

    def learn(self, calls: Sequence[Call], records: Records) -> None:
        """Learn from records that were others after a call which tools change something."""
        for call in calls:
            if call.result is not None and self._cues.find("only_quotes", call.result.text[:_HEAD]):
                self._quoting.add(call.name)
            may_change = call.result is not None and not call.failed and self.of(call.name) is not Effect.READS
            if may_change and records.changed_by(call):
                self._seen.add(call.name)

    def of(self, name: str) -> Effect:
        """Return what the tool ``name`` does, as far as it is known."""
        if name in self._seen:
            return Effect.SEEN
        described = self._from_description(self._described.get(name, ""))
        if described is not None:
            return described
        return Effect.READS if name in self._quoting else self._from_name(name)

    def _from_description(self, text: str) -> Effect | None:
        head = text.strip()[:_HEAD]
        if not head:
            return None
        if self._cues.find("only_quotes", head):
            return Effect.READS
        verb = next(iter(words_of_name(head[:40])), "")
        if self._is(verb, "reads"):
            return Effect.READS
        return Effect.DESCRIBED if self._is(verb, "changes") else None

    def _from_name(self, name: str) -> Effect:
        words = words_of_name(name)
        # The verb comes first in English names and last in German ones; "cancel_plan" plans nothing.
        begins = [kind for kind in ("reads", "changes") if words and self._is(words[0], kind)]
        if begins:
            return Effect.READS if begins[0] == "reads" else Effect.HINTED
        if words and self._is(words[-1], "reads"):
            return Effect.READS
        return Effect.HINTED if any(self._is(word, "changes") for word in words[1:2]) else Effect.UNKNOWN

    def _is(self, word: str, kind: str) -> bool:
        listed = _listed(self._cues[kind])
        plain = word.translate(texts.ASCII)
        return plain in listed or plain.removesuffix("s") in listed

    def is_thought(self, name: str) -> bool:
        """Tell whether a tool only thinks or reckons."""
        return any(word in self._cues["thinks"] for word in words_of_name(name)[:1])


@lru_cache(maxsize=32)
def _listed(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word.translate(texts.ASCII) for word in words)

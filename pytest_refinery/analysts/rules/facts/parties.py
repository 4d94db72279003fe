"""Who speaks in each step: a person, an environment, an agent or a tool.

A role says little: agent loops without tool calls put what a page or a program returned into the user's role,
group chats put everybody into it. So several signals are counted for each message.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_refinery.analysts.rules.facts import results
from pytest_refinery.traces import messages
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_refinery.analysts.rules.facts.cues import Cues
    from pytest_refinery.traces.conversation import Step
    from pytest_refinery.traces.model import Trace


class Party(StrEnum):
    """Who a step belongs to."""

    PERSON = "person"
    ENVIRONMENT = "environment"
    AGENT = "agent"
    TOOL = "tool"
    SYSTEM = "system"


_ENOUGH = 2
_LABEL = re.compile(r"\s*[\[(*#]{0,3}(?P<label>[^\W\d_][\w ]{1,24}?)\s{0,2}\d{0,3}[\])*]{0,3}:", re.UNICODE)
_CODE = re.compile(r"```")
_LONG = 1_500
_LONG_LINE = 40


@dataclass(frozen=True)
class Parties:
    """The party of each step, and how the agents of the trace work together.

    Attributes:
        of_step: In the order of the steps.
        leaders: Agents that give orders to the others and do none of the work.
        workers: The other agents.
    """

    of_step: tuple[Party, ...]
    leaders: frozenset[str]
    workers: frozenset[str]

    @property
    def is_team(self) -> bool:
        """Whether more than one agent took part."""
        return len(self.leaders | self.workers) > 1


def read(trace: Trace, steps: Sequence[Step], cues: Cues) -> Parties:
    """Return who speaks in each step of a trace."""
    people = _people(trace, steps)
    repeated = _Repeated(steps)
    parties = tuple(_party(step, steps, cues, is_person=step.speaker in people, repeated=repeated) for step in steps)
    agents = [step.speaker for step, party in zip(steps, parties, strict=True) if party is Party.AGENT]
    leaders = _leaders(agents)
    return Parties(parties, leaders, frozenset(agents) - leaders)


def _party(step: Step, steps: Sequence[Step], cues: Cues, *, is_person: bool, repeated: _Repeated) -> Party:
    if step.role == "system":
        return Party.SYSTEM
    if step.role == "tool":
        return Party.TOOL
    if step.role == "assistant" and not is_person:
        return Party.AGENT
    before = steps[step.number - 2] if step.number > 1 else None
    is_environment = _environment_signs(step, before, cues, repeated) >= _ENOUGH
    return Party.ENVIRONMENT if is_environment else Party.PERSON


def _environment_signs(step: Step, before: Step | None, cues: Cues, repeated: _Repeated) -> int:
    """Count what speaks for a page, a program or a re-rendered prompt, and against a person."""
    label = _LABEL.match(step.text[:80])
    is_labelled = label is not None and bool(cues.pattern("observation").fullmatch(label["label"].strip()))
    value = results.parsed(step.text)
    is_data = value is not None or results.has_failed(step, value, cues)
    acted = before is not None and before.role == "assistant" and _asks_for_an_action(before, cues)
    return 2 * is_labelled + 2 * repeated.mostly(step) + is_data + acted + (len(step.text) > _LONG and acted)


def _asks_for_an_action(step: Step, cues: Cues) -> bool:
    """Tell whether an agent's message ends with something for a program to carry out."""
    if step.calls:
        return False
    lines = [line for line in step.text[-2_000:].splitlines() if line.strip()]
    labels = (_LABEL.match(line[:80]) for line in lines)
    named = any(label and cues.pattern("action").fullmatch(label["label"].strip()) for label in labels)
    return named or bool(_CODE.search(step.text)) or results.parsed(step.text) is not None


class _Repeated:
    """Finds messages that only repeat what tools and earlier messages have said."""

    def __init__(self, steps: Sequence[Step]) -> None:
        seen: set[str] = set()
        self._mostly: set[int] = set()
        for step in steps:
            lines = {line.strip() for line in step.text.splitlines() if len(line.strip()) >= _LONG_LINE}
            if lines and step.role == "user" and 2 * len(lines & seen) >= len(lines):
                self._mostly.add(step.number)
            seen |= lines

    def mostly(self, step: Step) -> bool:
        return step.number in self._mostly


def _people(trace: Trace, steps: Sequence[Step]) -> frozenset[str]:
    """Return the speakers of a group chat that are people: they alone have the user's role, and are answered."""
    roles: dict[str, Counter[str]] = {}
    for run in trace.runs:
        for message in messages.read([run.outputs]).messages if run.kind == RunKind.MESSAGE else ():
            if message.role in {"user", "assistant"}:
                roles.setdefault(message.name or message.role, Counter())[message.role] += 1
    users = {name for name, counted in roles.items() if set(counted) == {"user"}}
    agents = {name for name, counted in roles.items() if set(counted) == {"assistant"}}
    spoken = {step.speaker for step in steps if step.role in {"assistant", "user"}}
    is_dialogue = len(users & spoken) == 1 and bool(agents & spoken) and not (spoken - users - agents)
    spoken_by = [step.text for step in steps if step.speaker in users]
    is_human = all(len(text) < _LONG and not _CODE.search(text) for text in spoken_by)
    return frozenset(users) if is_dialogue and is_human else frozenset()


_LEADING_SHARE = 0.3
_LED_SHARE = 0.7
_SHORTEST_TEAM = 3


def _leaders(agents: Sequence[str]) -> frozenset[str]:
    """Return the agent after which nearly every other one speaks, where there is one."""
    counted = Counter(agents)
    if len(counted) < 2 or len(agents) < _SHORTEST_TEAM:  # noqa: PLR2004  (a leader and a worker)
        return frozenset()
    for name, own in counted.most_common(2):
        followed = [before == name for before, speaker in itertools.pairwise(agents) if speaker != name]
        is_leading = own >= _LEADING_SHARE * len(agents) and followed and sum(followed) >= _LED_SHARE * len(followed)
        if is_leading and len(counted) > 1 and _orders_first(agents, name):
            return frozenset({name})
    return frozenset()


def _orders_first(agents: Sequence[str], name: str) -> bool:
    return bool(agents) and agents[0] == name


def names(parties: Parties) -> Mapping[str, str]:
    """Return leader or worker for each agent."""
    return dict.fromkeys(parties.leaders, "leader") | dict.fromkeys(parties.workers, "worker")

"""Which step is the decisive one: a score that adds up what speaks for each.

A finding counts with its points, less where it explains nothing of what failed; several at one step add up as
independent reasons do. Steps that the expectation's own words point at count a little more.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.analysts.rules.facts import texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.analysts.rules.findings import Found
    from pytest_refinery.traces.conversation import Step

_UNEXPLAINED = 0.3
_ONE_OF_MANY = 0.8
_POINTED_AT = 0.6
# In a team every step is about the question; only words beside it point anywhere.
_POINTED_AT_IN_A_TEAM = 2.5
_NAMED_SPEAKER = 0.7
_BASE = 0.02
_LEAST_OF_A_CAUSE = 0.2
_EARLY = 0.2


@dataclass(frozen=True)
class Ranked:
    """One step with what was found about it, and how likely it is the decisive one."""

    step: Step
    found: tuple[Found, ...]
    score: float

    @property
    def cause(self) -> Found | None:
        """The finding that explains most, ``None`` where none explains anything."""
        explaining = [each for each in self.found if each.explains and each.points >= _LEAST_OF_A_CAUSE]
        return max(explaining, key=lambda each: each.points, default=None)


def rank(facts: TraceFacts, found: Iterable[Found], *, objections: int) -> tuple[Ranked, ...]:
    """Return the steps, the likeliest first."""
    by_step: dict[int, list[Found]] = {}
    for each in found:
        by_step.setdefault(each.step.number, []).append(each)
    pointed = _pointed_at(facts)
    ranked = [_ranked(facts, step, by_step.get(step.number, []), pointed, objections) for step in facts.steps]
    return tuple(sorted(ranked, key=lambda each: (-each.score, each.step.number)))


def _ranked(
    facts: TraceFacts, step: Step, found: Sequence[Found], pointed: Mapping[int, float], objections: int
) -> Ranked:
    doubt = math.prod(1 - _weight(each, objections) for each in _best_of_each_rule(found))
    base = _base(facts, step)
    score = 1 - doubt * (1 - base)
    weight = _POINTED_AT_IN_A_TEAM if facts.parties.is_team else _POINTED_AT
    score *= 1 + weight * pointed.get(step.number, 0.0)
    ordered = sorted(found, key=lambda each: (not each.explains, -each.points))
    return Ranked(step, tuple(ordered), min(score, 0.99))


def _base(facts: TraceFacts, step: Step) -> float:
    """Return what a step counts about which nothing was found: in a team, more where the work has just begun."""
    if not facts.is_agent(step):
        return _BASE / 4
    is_early = facts.parties.is_team and step.number > 1 and step.speaker not in facts.parties.leaders
    return _BASE + (_EARLY / step.number if is_early else 0.0)


def _best_of_each_rule(found: Iterable[Found]) -> list[Found]:
    best: dict[str, Found] = {}
    for each in found:
        if each.rule not in best or best[each.rule].points < each.points:
            best[each.rule] = each
    return list(best.values())


def _weight(found: Found, objections: int) -> float:
    if not found.explains:
        return found.points * _UNEXPLAINED
    share = len(found.explains) / max(objections, 1)
    return found.points * (_ONE_OF_MANY + (1 - _ONE_OF_MANY) * share)


def _pointed_at(facts: TraceFacts) -> dict[int, float]:
    """Return how much of the expectation's rarer words each step has, and whether it names the speaker."""
    wanted = texts.content(facts.case.expect, facts.cues)
    spread = Counter(word for step in facts.steps for word in facts.stems(step) & wanted)
    weights = {word: 1 / (1 + math.log(count)) for word, count in spread.items()}
    total = sum(weights.values())
    spoken = facts.case.expect.casefold()
    return {
        step.number: _share(facts, step, weights, total) + _NAMED_SPEAKER * _is_named(facts, step, spoken)
        for step in facts.steps
    }


def _share(facts: TraceFacts, step: Step, weights: Mapping[str, float], total: float) -> float:
    return sum(weights.get(word, 0.0) for word in facts.stems(step)) / total if total else 0.0


def _is_named(facts: TraceFacts, step: Step, spoken: str) -> bool:
    is_one_of_many = facts.parties.is_team and facts.is_agent(step)
    return is_one_of_many and step.speaker.casefold() in spoken

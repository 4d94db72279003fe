"""Teams of agents: where what the answer rests on entered, and what was passed over on the way."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.analysts.rules import provenance
from pytest_refinery.analysts.rules.facts import results, texts, values
from pytest_refinery.analysts.rules.findings import Found, Quoted, quoted, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.traces.conversation import Step

_CODE = re.compile(r"```")
_STRESSED = re.compile(r"\*\*([^*\n]{2,80})\*\*|[\"“]([^\"”\n]{2,80})[\"”]|\\boxed\{([^}\n]{1,80})\}")
_SHORTEST_ANSWER = 12
_FEW_NEW_WORDS = 8
_FACTS = frozenset({values.FIGURE, values.DATE})
_LEAST_OF_THE_TASK = 0.5
_FEWEST_WORDS = 5


def assumed_data(facts: TraceFacts) -> Iterator[Found]:
    """Find work with assumed, simulated or placeholder data in place of real data."""
    again = 1.0
    for step in _working(facts):
        found = facts.cues.find("assumed", facts.fresh[step.number - 1])
        if found and not _is_denied(facts, step, found):
            again *= 0.8
            yield Found(
                rule="assumed_data",
                step=step,
                what=f"{step.speaker} works with data that it made up or assumed: {said(facts, step, found.group())}",
                failure_type=FailureType.MODEL_LIMITATION,
                points=0.5 * again,
                quotes=(quoted(facts, step, found.group()),),
                texts=(found.group(),),
                holds=lambda case, step=step, found=found: (  # type: ignore[misc]
                    found.group().casefold() in step.text.casefold() and not _is_denied(case, step, found)
                ),
            )


def _is_denied(facts: TraceFacts, step: Step, found: re.Match[str]) -> bool:
    sentence = texts.sentence_at(facts.fresh[step.number - 1], found.start(), facts.cues)
    return bool(facts.cues.find("negations", sentence))


def _working(facts: TraceFacts) -> tuple[Step, ...]:
    """Return the steps in which agents of a team work, without the task that they were given."""
    if not facts.parties.is_team:
        return ()
    return tuple(step for step in facts.answers if step.number > 1 and step.speaker not in facts.parties.leaders)


def contradicted_results(facts: TraceFacts) -> Iterator[Found]:
    """Find an agent that reports another name beside those which the program or page before it returned."""
    for step in _working(facts):
        before = next(facts.before(step), None)
        if before is None or not facts.is_source(before) or len(before.text) > _LONGEST_RESULT:
            continue
        for sentence in texts.sentences(facts.fresh[step.number - 1][:4_000], facts.cues):
            claimed = _names(sentence)
            new = [name for name in claimed if not _stands_before(facts, name, step)]
            kept = [name for name in claimed if name.casefold() in before.text.casefold()]
            if len(kept) > 1 and new and not _CODE.search(step.text):
                yield _contradicting(facts, step, before, new[0])
                break


def _contradicting(facts: TraceFacts, step: Step, before: Step, name: str) -> Found:
    return Found(
        rule="contradicts_result",
        step=step,
        what=f"{step.speaker} reports {name} here ({said(facts, step, name)}); the result before it does not have "
        "that: "
        f"{said(facts, before)}",
        failure_type=FailureType.MODEL_LIMITATION,
        points=0.6,
        quotes=(quoted(facts, step, name), quoted(facts, before, "")),
        holds=partial(_is_still_new, name=name, step=step),
        texts=(name,),
    )


_LONGEST_RESULT = 2_000


def _names(text: str) -> list[str]:
    """Return the names in a text: words that begin with a capital inside a sentence."""
    return list(dict.fromkeys(_NAME.findall(text)))


_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,20}")


def _stands_before(facts: TraceFacts, name: str, step: Step) -> bool:
    wanted = name.casefold()
    earlier = any(wanted in text for text in facts.folded[: step.number - 1])
    return earlier or wanted in facts.given.casefold() or wanted in facts.case.expect.casefold()


def _is_still_new(facts: TraceFacts, *, name: str, step: Step) -> bool:
    return not any(name.casefold() in other.text.casefold() for other in facts.steps[: step.number - 1])


def unsourced_answers(facts: TraceFacts) -> Iterator[Found]:
    """Find the first agent that states facts although nothing was looked up or run before."""
    # The workers of a leader bring what pages and files say: they are the sources.
    for step in _working(facts) if not facts.parties.leaders else ():
        if facts.informative and facts.informative[0].number < step.number:
            return
        new = [v for v in facts.values[step.number - 1] if v.kind in _FACTS and _is_fact(facts, v, step)]
        is_code = bool(_CODE.search(step.text))
        if new and not is_code:
            yield Found(
                rule="unsourced_answer",
                step=step,
                what=f"{step.speaker} states {new[0].text} here ({said(facts, step, new[0].text)}); nothing had been "
                "looked up "
                f"or run before.",
                failure_type=FailureType.MODEL_LIMITATION,
                points=0.5,
                quotes=(quoted(facts, step, new[0].text),),
                holds=partial(provenance.has_no_source, value=new[0], step=step),
                texts=(new[0].text,),
            )
            return


def _is_fact(facts: TraceFacts, value: values.Value, step: Step) -> bool:
    return facts.holding(value)[:1] == (step.number,) and (value.kind != values.FIGURE or value.number > _FEW_NEW_WORDS)


def failing_programs(facts: TraceFacts) -> Iterator[Found]:
    """Find the agent whose program failed; one whose failure was not repaired weighs more."""
    failed = [step for step in facts.failures if step.number not in facts.call_answered_by]
    for place, step in enumerate(failed):
        author = next((s for s in facts.before(step) if facts.is_agent(s)), None)
        if author is None or not facts.parties.is_team:
            continue
        was_mended = bool(facts.informative) and facts.informative[-1].number > step.number
        yield Found(
            rule="mended_program" if was_mended else "failing_program",
            step=author,
            what=f"What {author.speaker} wrote here fails: “{texts.shown(results.message(step.text), 140)}” (step "
            f"{step.run_number})"
            f"{'.' if was_mended else ', and nothing later replaces its result.'}",
            failure_type=FailureType.TOOL_ISSUE,
            points=_points_of_failure(facts, step, place, was_mended=was_mended),
            quotes=(Quoted(step, texts.shown(results.message(step.text), 80).rstrip("…")),),
            texts=(results.message(step.text)[:80],),
            holds=lambda case, step=step: step in case.failures,  # type: ignore[misc]
        )


def _points_of_failure(facts: TraceFacts, step: Step, place: int, *, was_mended: bool) -> float:
    """Return how much a failing program says: the one with which the work ends says more than one that is replaced."""
    if was_mended:
        return 0.2 * 0.9**place
    ends_with_it = not any(facts.is_source(later) for later in facts.steps[step.number :])
    return 0.45 if ends_with_it else 0.35 * 0.9**place


def off_task_starts(facts: TraceFacts) -> Iterator[Found]:
    """Find work of a team that begins with another task than the one that the expectation speaks of."""
    wanted = texts.content(facts.case.expect, facts.cues)
    first = next(iter(facts.agent_steps), None)
    is_question = any(mark in facts.case.expect for mark in "?\uff1f")
    if not facts.parties.is_team or first is None or first.number > 1:
        return
    if not is_question or len(wanted) < _FEWEST_WORDS:
        return
    share = len(wanted & facts.stems(first)) / len(wanted)
    if share < _LEAST_OF_THE_TASK and any(facts.stems(step) & wanted for step in facts.steps):
        yield Found(
            rule="off_task_start",
            step=first,
            what=f"The work begins with another task than the expected one: {said(facts, first)}",
            failure_type=FailureType.ORCHESTRATION_ISSUE,
            points=0.7,
            quotes=(quoted(facts, first, ""),),
            holds=lambda case: (
                len(texts.content(case.case.expect, case.cues) & case.stems(first)) < _LEAST_OF_THE_TASK * len(wanted)
            ),
        )


def given_up(facts: TraceFacts) -> Iterator[Found]:
    """Find an agent that says that it could not find or do what was asked."""
    for step in _working(facts):
        found = facts.cues.find("gave_up", facts.fresh[step.number - 1])
        if found:
            yield Found(
                rule="gave_up",
                step=step,
                what=f"{step.speaker} could not get what was asked: {said(facts, step, found.group())}",
                failure_type=FailureType.RETRIEVAL_ISSUE,
                points=0.25,
                quotes=(quoted(facts, step, found.group()),),
                texts=(found.group(),),
                holds=lambda _, step=step, found=found: found.group().casefold() in step.text.casefold(),  # type: ignore[misc]
            )


def origins_of_answers(facts: TraceFacts) -> Iterator[Found]:
    """Find the step in which what the final answer says stands for the first time."""
    spoken = (step for step in reversed(facts.answers) if len(step.text) >= _SHORTEST_ANSWER)
    final = next((step for step in spoken if not _CODE.search(step.text)), None)
    if final is None or not facts.parties.is_team:
        return
    task = facts.steps[0].text.casefold() + facts.case.expect.casefold()
    for words in _answered(facts, final):
        first = facts.first_with(words, after=1)
        if first is not None and words.casefold() not in task:
            yield _origin(facts, first, words)
            return


def _answered(facts: TraceFacts, final: Step) -> list[str]:
    """Return what an answer stresses, then its values."""
    stressed = ["".join(groups).strip() for groups in _STRESSED.findall(final.text)]
    told = [v.text for v in values.find(final.text, facts.cues) if v.kind != values.TIME and len(v.text) > 1]
    return [*reversed(stressed), *told]


def _origin(facts: TraceFacts, first: Step, words: str) -> Found:
    author = first if facts.is_agent(first) else next((s for s in facts.before(first) if facts.is_agent(s)), first)
    through = f", in what its program or page returned in step {first.run_number}" if author is not first else ""
    return Found(
        rule="origin_of_answer",
        step=author,
        what=f"The final answer's “{texts.shown(words, 80)}” enters with {author.speaker} here{through}: "
        f"{said(facts, first, words)}",
        failure_type=FailureType.MODEL_LIMITATION,
        points=0.15 if author.speaker in facts.parties.leaders else 0.4,
        quotes=(quoted(facts, first, words),),
        texts=(words,),
        holds=lambda case: case.first_with(words, after=1) is first,
    )


def first_programs(facts: TraceFacts) -> Iterator[Found]:
    """Find the first program of a team whose result the later work rests on."""
    for step in facts.agent_steps if facts.parties.is_team and not facts.parties.leaders else ():
        if _CODE.search(facts.fresh[step.number - 1]):
            yield Found(
                rule="first_program",
                step=step,
                what=f"{step.speaker} writes the first program here; later work rests on it.",
                failure_type=FailureType.MODEL_LIMITATION,
                points=0.35,
                quotes=(quoted(facts, step, "```"),),
                holds=lambda case, step=step: (  # type: ignore[misc]
                    not any(_CODE.search(other.text) for other in case.agent_steps if other.number < step.number)
                ),
            )
            return

"""Stage 2: expected beside actual, and what the agent had not been told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType, Gap, GapAnalysis
from pytest_refinery.llm.builtin import words
from pytest_refinery.traces import answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.llm.builtin.ranking import Ranked
    from pytest_refinery.llm.builtin.reading import Reading, Sign

_MOST_MISSING = 5
# Failures that saying more could have prevented.
_TOLD_MORE = frozenset({FailureType.PROMPT_ISSUE, FailureType.CONTEXT_ISSUE})


def find(reading: Reading, ranked: Sequence[Ranked]) -> GapAnalysis:
    """Return the gaps between the expectation and the trace."""
    decisive = max(ranked, key=lambda candidate: candidate.probability, default=None)
    signs = decisive.signs if decisive else ()
    return GapAnalysis(
        gaps=_gaps(reading, decisive), missing_context=_missing(reading, signs), wrong_assumptions=_assumed(signs)
    )


def _gaps(reading: Reading, decisive: Ranked | None) -> tuple[Gap, ...]:
    run_id = decisive.step.run_id if decisive else None
    expected = reading.case.expect.strip() or "What the test asserts."
    if reading.case.failures:
        return tuple(
            Gap(expected=each.expected, actual=each.actual, run_id=each.run_id) for each in reading.case.failures
        )
    found = answer.of(reading.case.trace).text if reading.case.trace.runs else None
    said = words.quote(found) if found else "The trace ends without an answer."
    return (Gap(expected=expected, actual=said, run_id=run_id),)


def _missing(reading: Reading, signs: Sequence[Sign]) -> tuple[str, ...]:
    """Say what the expectation speaks of and the prompt does not mention."""
    told = words.content(reading.told)
    unsaid = [word for word in _in_order(reading.case.expect) if word not in told]
    found = []
    if any(sign.subject == "memory" for sign in signs):
        found.append("The prompt does not say that nothing is kept between conversations, and no tool could keep it.")
    if not reading.told.strip():
        found.append("The trace shows no system prompt: the agent was told nothing about its task.")
    elif unsaid and not found and any(sign.failure_type in _TOLD_MORE for sign in signs):
        listed = ", ".join(_written(word, reading.case.expect) for word in unsaid[:_MOST_MISSING])
        found.append(f"The prompt never mentions what the expectation speaks of: {listed}.")
    return tuple(found)


def _in_order(text: str) -> list[str]:
    """Return the stems of ``text`` in the order in which they stand there, each once."""
    return list(dict.fromkeys(stem for word in text.split() for stem in words.content(word)))


def _written(stem: str, text: str) -> str:
    """Return the word of ``text`` that has the stem, as it is written there."""
    return next((word.strip(".,;:!?\"'()") for word in text.split() if stem in words.content(word)), stem)


_ASSUMED = {
    "lasting_promise": "The agent assumed that it can remember what it is told.",
    "claimed_action": "The agent assumed that saying so makes it done.",
    "failed_change": "The agent assumed that the record allowed the change.",
    "forbidden_change": "The agent assumed that the record's state allowed the change.",
    "unasked_choice": "The agent assumed which choice the user would make.",
    "incomplete_change": "The agent assumed that it could change the record again later.",
    "unavailable_choice": "The agent assumed that what it chose was available.",
    "invented_data": "The agent assumed data instead of finding it.",
    "off_topic_start": "The agents assumed that the task they were handed was the question that was asked.",
    "action_on_question": "The agent assumed that a question is an order.",
    "first_said": "The agent assumed a figure instead of looking it up.",
    "retrieval_missed": "The agent assumed that the source it had found was the right one.",
    "wider_than_asked": "The agent assumed that the tool can change a part of the record.",
    "closed_door": "The agent assumed that the order of its changes does not matter.",
    "unknown_argument": "The agent assumed a value that it had not been given.",
    "ungrounded_figure": "The agent assumed a figure instead of looking it up.",
    "misattributed_figure": "The agent assumed that it had the right record.",
    "changed_request": "The agent assumed that the new request replaces the old one.",
    "refused_unlooked": "The agent assumed that the record it had not opened would not help.",
}


def _assumed(signs: Sequence[Sign]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_ASSUMED[sign.rule] for sign in signs if sign.rule in _ASSUMED))

"""What to change: an added rule for the prompt, where one would have helped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType, SuggestedFix
from pytest_refinery.llm.builtin import words

if TYPE_CHECKING:
    from pytest_refinery.analysis.ports import PromptFile
    from pytest_refinery.llm.builtin.reading import Reading, Sign

_RULES = {
    "lasting_promise": "You have no memory: nothing is kept from one conversation to the next, and you have no tool "
    "to store preferences.",
    "claimed_action": "Say that something was done only after the tool for it has reported success.",
    "failed_change": "Call {subject} only with everything it needs; if the user's wish does not fit the tool, say "
    "so and offer what is possible.",
    "forbidden_change": "Before {subject}, check that the record is in a state that allows it; if not, say so and "
    "offer what is possible.",
    "unconfirmed_change": "List what {subject} will change, and act only after the user has said yes.",
    "skipped_first_step": "Do not call {subject} or any other tool before the first step above is done.",
    "incomplete_change": "Before {subject}, ask whether this is everything to be changed: it works only once.",
    "unasked_choice": "Where there is more than one possibility, such as {subject}, ask the user which one to use.",
    "contradicted_wish": "Before you act, compare the call with what the user last asked for, word for word.",
    "unavailable_choice": "Offer and use only entries that the tool marks as available.",
    "wrong_extreme": "When you name the cheapest or the most expensive, compare all entries that are available.",
    "invented_data": "Never work with assumed, simulated or placeholder data; if the data cannot be found, say so.",
    "origin_of_answer": "Check every intermediate result against a source before you build on it.",
    "off_topic_start": "Before you begin, make sure that the task you were given is the question that was asked; if "
    "it is an error message, go back to the question.",
    "failed_call": "When a step fails, find out why before you go on, and do not answer from what it should have "
    "returned.",
    "action_on_question": "When the user asks what {subject} would mean, explain it; act only when they ask for it "
    "to be done.",
    "first_said": "State no figure that a tool has not returned; if it cannot be found, say so.",
    "retrieval_missed": "Before you answer from an article or document, check that it is about what the user asked; "
    "if not, search again with other words, and if nothing fits, say so.",
    "wider_than_asked": "{subject} always affects the whole record. If the user wants only a part changed, say that "
    "this is not possible and ask before you act.",
    "closed_door": "If several changes to one record are asked for, make the one that forbids further changes last.",
    "unknown_argument": "Use only values in tool calls that the user or a tool has given; ask for the others.",
    "ungrounded_figure": "Give only figures that the user, these instructions or a tool have given.",
    "miscounted": "When you count entries, count only those that fit the question, one by one.",
    "misattributed_figure": "Before you give a detail of a record, make sure that the record is the one the user "
    "asked about; look at all of them if need be.",
    "changed_request": "When the user changes the request, repeat in one sentence what they want now and what "
    "becomes of the first request, and let them confirm it.",
    "refused_unlooked": "Before you say that something cannot be found, look at every record of the user.",
    "refused": "Before you refuse, check with your tools whether it can be done.",
    "early_handover": "Hand over to a person only when none of your tools can do what is asked.",
    "repeated_call": "Do not repeat a call with the same arguments; use the result that you have, or try another way.",
    "gave_up": "If a source does not have the answer, try another one before you give up.",
    "missed_lookup": "If a look-up finds nothing, ask the user for another detail to look them up by.",
}
_NO_PROMPT_HELPS = frozenset({FailureType.INFRASTRUCTURE})


def suggest(reading: Reading, sign: Sign) -> SuggestedFix | None:
    """Return the change that would have prevented ``sign``, or ``None`` where no prompt could."""
    if sign.failure_type in _NO_PROMPT_HELPS:
        return None
    rule = _RULES.get(sign.rule, "").format(subject=sign.subject or "acting")
    if not rule:
        return None
    file = _prompt_file(reading)
    before = _last_line(file.text if file else reading.told)
    return SuggestedFix(
        component="system prompt",
        file=file.path if file else None,
        before=before,
        after=f"{before}{_separator(before)}{rule}" if before else rule,
        why="A rule that would have prevented this.",
    )


def _prompt_file(reading: Reading) -> PromptFile | None:
    """Return the prompt file that is nearest to what the agent was told."""
    told = words.content("\n".join(reading.prompts))
    files = reading.case.prompt_files
    return max(files, key=lambda file: len(words.content(file.text) & told), default=None)


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _separator(before: str) -> str:
    bullet = re.match(r"[-*]\s", before)
    return f"\n{bullet.group()}" if bullet else "\n"

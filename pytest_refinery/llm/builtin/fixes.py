"""What to change: an added rule for the prompt, where one would have helped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType, SuggestedFix
from pytest_refinery.llm.builtin import words

if TYPE_CHECKING:
    from pytest_refinery.analysis.ports import PromptFile
    from pytest_refinery.llm.builtin.reading import Reading, Sign

_SUBJECT = re.compile(
    r"^(?:the|our|an?)?\s*(?:agent|assistant|bot|chatbot|model|answer|team|system)\s+(?P<rest>.+)$",
    re.IGNORECASE | re.DOTALL,
)
# A second verb would have to be turned as well, and may have another subject.
_SECOND_VERB = re.compile(r"(?:,| and| but| or) (?:\w+ly )?(?:does|is|has|(?!its\b|this\b)[a-z]{3,}s)\b", re.IGNORECASE)
_IT_DOES = re.compile(r"\bit (?P<verb>can(?:not|'t)?|could|will|would|may|might|must|should|[a-z]+s)\b")
_IRREGULAR = {"is": "are", "was": "were", "has": "have", "does": "do"}
_MODAL = re.compile(r"^(?:must|should|has to|needs to|is expected to|ought to|will|shall)\s+", re.IGNORECASE)
_NEGATED = re.compile(r"^(?:does not|doesn't|do not|must not|should not)\s+", re.IGNORECASE)
_NEVER = re.compile(r"^(?:must |should )?never\s+", re.IGNORECASE)
_THIRD_PERSON = re.compile(r"^(?P<stem>[a-z]+?)(?P<ending>ies|sses|shes|ches|xes|oes|s)\b", re.IGNORECASE)

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
    added = " ".join(
        filter(None, (rule, _as_instruction(reading.case.expect) if sign.rule in _SAYS_WHAT_IS_EXPECTED else ""))
    )
    if not added:
        return None
    file = _prompt_file(reading)
    before = _last_line(file.text if file else reading.told)
    return SuggestedFix(
        component="system prompt",
        file=file.path if file else None,
        before=before,
        after=f"{before}{_separator(before)}{added}" if before else added,
        why="A rule that would have prevented this.",
    )


_SAYS_WHAT_IS_EXPECTED = frozenset(
    {"lasting_promise", "expected_topic", "failed_check", "checked_call", "refused", "claimed_action"}
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


def _as_instruction(expect: str) -> str:
    """Turn "The agent says that it cannot ..." into "Say that you cannot ..."."""
    sentence = expect.strip().rstrip(".")
    found = _SUBJECT.match(sentence)
    if found is None or _SECOND_VERB.search(found["rest"]):
        return f"Required: {sentence}." if sentence else ""
    rest = _addressed(found["rest"])
    negated = _NEGATED.match(rest)
    if negated:
        return f"Do not {rest[negated.end() :]}."
    never = _NEVER.match(rest)
    if never:
        return f"Never {_imperative(rest[never.end() :], is_first=False)}."
    rest = _MODAL.sub("", rest)
    return f"{_imperative(rest)}."


def _addressed(text: str) -> str:
    """Say "you" of the agent; an "it" without a verb behind it is something else."""
    text = _IT_DOES.sub(lambda found: f"you {_said_to_you(found['verb'])}", text)
    return re.sub(r"\bitself\b", "yourself", re.sub(r"\bits\b", "your", text))


def _said_to_you(verb: str) -> str:
    return _IRREGULAR.get(verb) or (_imperative(verb, is_first=False) if verb.endswith("s") else verb)


def _imperative(text: str, *, is_first: bool = True) -> str:
    found = _THIRD_PERSON.match(text)
    if found:
        ending = {"ies": "y", "sses": "ss", "shes": "sh", "ches": "ch", "xes": "x", "oes": "o"}.get(
            found["ending"].lower(), ""
        )
        text = f"{found['stem']}{ending}{text[found.end() :]}"
    return text[:1].upper() + text[1:] if is_first else text

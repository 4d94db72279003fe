"""Promises that nothing stands behind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.llm.builtin import words
from pytest_refinery.llm.builtin.reading import Sign, is_thought, is_write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.llm.builtin.reading import Reading
    from pytest_refinery.traces.conversation import Step

_LASTING = re.compile(
    r"\b(from now on|from this point (on|forward)|going forward|from here on( out)?|henceforth)\b|"
    r"\b(permanently|(in|for|to) (all |any |every |your )*(future|upcoming|subsequent) \w+|your future \w+|next time|"
    r"in (the )?future|(i|we)('ll| will| shall) (always |never )?(remember|keep in mind|keep (that|this|it) in mind|"
    r"make a note|not forget|bear in mind)|"
    r"(i|we)('ll| will) (always|never)\b|"
    r"(i|we)('ve| have) (made a note|noted (your|that|this)|remembered|memori[sz]ed))",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(can(no|')t|cannot|unable|not able|won't|will not|don't|do not|no way to|isn't|not possible)\b", re.IGNORECASE
)
_FIRST_PERSON = re.compile(
    r"\b(i|we)('ll|'ve| will| have| am| are| shall)\b|\b(will|are now|is now) \w+ed\b", re.IGNORECASE
)
# What a prompt says of an agent that keeps nothing.
_FORGETS = re.compile(
    r"\bno (long-term |lasting )?memory\b|(cannot|can't|do not|don't|never) (remember|store|keep|save)|"
    r"nothing is (kept|stored|saved|remembered)|forget(s)? everything",
    re.IGNORECASE,
)
_LONGEST_REPLY = 3000
_TYPOGRAPHIC = "\N{RIGHT SINGLE QUOTATION MARK}"
_KEEPS = re.compile(
    r"remember|memory|memori|store|save|persist|preference|profile_update|update_(user|customer|profile|setting)|"
    r"set_|note|schedule|remind|subscribe|create_rule|add_rule",
    re.IGNORECASE,
)
_CLAIMED = re.compile(
    r"\b(i|we)(?:'ve| have)(?: (?:now|just|already|successfully|also))* "
    r"(saved|stored|recorded|updated|cancell?ed|booked|ordered|sent|emailed|scheduled|submitted|filed|refunded|deleted|"
    r"removed|added|created|changed|reserved|forwarded|escalated|notified|placed|registered|set up|excluded|applied|"
    r"processed|modified)\b|"
    r"\b(has|have) been (?:successfully )?(saved|updated|cancell?ed|booked|sent|scheduled|submitted|refunded|"
    r"deleted|removed|"
    r"added|created|changed|reserved|escalated|placed|registered|processed|modified|initiated)\b",
    re.IGNORECASE,
)


def lasting_promises(reading: Reading) -> Iterator[Sign]:
    """Find promises for later conversations that no tool call keeps."""
    if reading.shape != "desk":
        return
    lack, failure_type, subject = _lack(reading)
    for step in reading.steps:
        found = _promise(step)
        if found is not None and not _is_kept(reading, step):
            yield Sign(
                step=step,
                rule="lasting_promise",
                what=f"The agent promised something for later (“{words.shown(found.group())}”), but {lack}",
                failure_type=failure_type,
                quote=words.quote(step.text, around=found.start()),
                subject=subject,
            )


def _lack(reading: Reading) -> tuple[str, FailureType, str]:
    """Return why the agent cannot keep a promise, whose fault that is, and what is missing."""
    keeper = next((name for name in reading.tools if _KEEPS.search(name)), None)
    if keeper is not None:
        return f"it did not use {keeper}, which could have kept it.", FailureType.MODEL_LIMITATION, keeper
    if _FORGETS.search(reading.told):
        said = "it has no tool with which it could keep anything, and its prompt says that it keeps nothing."
        return said, FailureType.MODEL_LIMITATION, ""
    unsaid = (
        "it has no tool with which it could keep anything. Its prompt does not say that nothing is kept from one "
        "conversation to the next, so it promised what it cannot do."
    )
    return unsaid, FailureType.PROMPT_ISSUE, "memory"


def _promise(step: Step) -> re.Match[str] | None:
    # What is longer is a document that the agent passes on.
    if step.role != "assistant" or len(step.text) > _LONGEST_REPLY:
        return None
    text = step.text.replace(_TYPOGRAPHIC, "'")
    for found in _LASTING.finditer(text):
        sentence = words.quote(text, around=found.start())
        if (found[1] or _FIRST_PERSON.search(sentence)) and not _DENIED.search(sentence):
            return found
    return None


def _is_kept(reading: Reading, step: Step) -> bool:
    calls = [call for earlier in (*reading.turn(step), step) for call in earlier.calls]
    return any(_KEEPS.search(call.name) and is_write(call) for call in calls)


def claimed_actions(reading: Reading) -> Iterator[Sign]:
    """Find claims to have done something where no call that changes anything succeeded before."""
    since = _first_change(reading)
    for step in reading.steps[:since] if reading.shape == "desk" else ():
        found = _CLAIMED.search(step.text) if step.role == "assistant" and not step.calls else None
        if found is None or _DENIED.search(words.quote(step.text, around=found.start())):
            continue
        yield Sign(
            step=step,
            rule="claimed_action",
            what=f"The agent says that it has acted (“{words.shown(found.group())}”), but no tool call before it "
            f"changed anything.",
            failure_type=FailureType.PROMPT_ISSUE,
            quote=words.quote(step.text, around=found.start()),
            strength=1.0 if reading.tools else 0.5,
        )


def _first_change(reading: Reading) -> int:
    """Return the number of the first step whose calls changed something, or that of the steps."""
    for step in reading.steps:
        acts = any(is_write(call) and not is_thought(call) for call in step.calls)
        if acts and any(not result.is_error for result in reading.results.get(step.number, ())):
            return step.number
    return len(reading.steps)

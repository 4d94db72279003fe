"""What became of the user's request: changed, refused, or handed on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.llm.builtin import words
from pytest_refinery.llm.builtin.reading import Sign, is_handover, is_thought, values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.llm.builtin.reading import Reading
    from pytest_refinery.traces.conversation import Step

_TURN = re.compile(
    r"\b(actually|instead|on second thought|never ?mind|forget (it|about)|leave (it|that|the|this)|might as well|"
    r"changed my mind|rather|no need to|don't need|in that case|let's (just )?(go|leave|do|cancel|skip)|"
    r"just (cancel|ship|leave|keep)|"
    r"don't sweat|if that's the case)\b",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(unfortunately|i('m| am) (sorry|unable|not able)|(i|we) (can(no|')t|cannot|am unable|are unable|do not have|"
    r"don't have)|"
    r"not possible|it's not possible|not able to)\b",
    re.IGNORECASE,
)
_LIMITED = re.compile(
    r"\b(unfortunately|however|can(no|')t|cannot|only|unable|not able|not possible|issue|still)\b", re.IGNORECASE
)
_UNPROMPTED = 0.6
_ID = re.compile(r"[#\w-]*\d[\w-]{3,}")


def changed_requests(reading: Reading) -> Iterator[Sign]:
    """Find the user turning away from what they had asked for."""
    asked = False
    for step in reading.steps:
        if step.role != "user":
            continue
        found = _TURN.search(step.text)
        if found and asked:
            yield Sign(
                step=step,
                rule="changed_request",
                what=f"Here the user changed the request: "
                f"“{words.shown(words.quote(step.text, around=found.start()))}”.",
                failure_type=FailureType.CONTEXT_ISSUE,
                quote=words.quote(step.text, around=found.start()),
                strength=1.0 if _was_limited(reading, step) else _UNPROMPTED,
            )
        asked = True


def _was_limited(reading: Reading, step: Step) -> bool:
    """Tell whether the agent has just said what cannot be done."""
    said = next(reading.conversation.backwards(step), None)
    return said is not None and said.role == "assistant" and bool(_LIMITED.search(said.text))


def refusals_without_looking(reading: Reading) -> Iterator[Sign]:
    """Find refusals for which no tool was asked, though a record was known that had not been looked at."""
    used: set[str] = set()
    listed: list[str] = []
    for step in reading.steps if reading.tools else ():
        found = _REFUSAL.search(step.text) if step.role == "assistant" and not step.calls else None
        used |= {value for call in step.calls for value in values(call.arguments)}
        listed.extend(_listed(step) if step.role == "tool" else ())
        if (
            found is None
            or reading.request(step) is None
            or any(earlier.role == "tool" for earlier in reading.turn(step))
        ):
            continue
        unread = next((name for name in listed if name not in used), "")
        yield Sign(
            step=step,
            rule="refused_unlooked" if unread else "refused",
            what="The agent refuses without having looked anything up"
            + (f", though {unread} was known and never opened." if unread else "."),
            failure_type=FailureType.PROMPT_ISSUE,
            quote=words.quote(step.text, around=found.start()),
            subject=unread,
        )


def _listed(step: Step) -> list[str]:
    found = re.findall(r'"\w*s": \[("[^\[\]{}]*")\]', step.text[:20_000])
    return [name for group in found for name in re.findall(r'"([^"]*)"', group) if _ID.fullmatch(name)]


def early_handovers(reading: Reading) -> Iterator[Sign]:
    """Find hand-overs to a human, which end what the agent itself could have done."""
    for step in reading.steps:
        for call in step.calls:
            if is_handover(call) and not is_thought(call):
                yield Sign(
                    step=step,
                    rule="early_handover",
                    what=f"The agent hands the conversation over ({call.name}) instead of finishing the request "
                    f"itself.",
                    failure_type=FailureType.ORCHESTRATION_ISSUE,
                    quote=call.name,
                    subject=call.name,
                )

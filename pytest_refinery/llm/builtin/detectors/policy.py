"""Steps that the system prompt asks for and the agent left out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.llm.builtin import words
from pytest_refinery.llm.builtin.detectors.errors import is_failed
from pytest_refinery.llm.builtin.reading import Sign, is_handover, is_thought, is_write, values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.llm.builtin.reading import Reading
    from pytest_refinery.traces.conversation import Step

_CONFIRM = re.compile(
    r"\b(confirm(ation|s|ed)?|explicit(ly)? (consent|approval)|ask (the user )?(before|for permission)|approv(e|al))\b",
    re.IGNORECASE,
)
_YES = re.compile(
    r"\b(yes|yeah|yep|yup|sure|ok(ay)?|go ahead|proceed|please do|do (it|that|so)|confirm(ed)?|correct|right|"
    r"agreed?|fine|sounds good|"
    r"looks good|let'?s|absolutely|of course|perfect|great)\b",
    re.IGNORECASE,
)
_WOULD = re.compile(
    r"\b(what (would|will|does|do|happens)|how (much|long|does|do|would)|would it|what if|is it possible)\b[^.!]*\?",
    re.IGNORECASE,
)
_ASKED = re.compile(r"\b(please|(can|could|would) you|go ahead|i('d| would) like|i want|let's|yes)\b", re.IGNORECASE)
_FIRST = re.compile(
    r"\b(at the (beginning|start)|first(ly)?,|before (anything|you) |begin by|start by|always start)\b", re.IGNORECASE
)
_MUST = re.compile(r"\b(must|have to|need to|has to|always|should|required)\b", re.IGNORECASE)
_ONCE = re.compile(
    r"\b(only (be )?(called|used|done|made|run|taken) once|once only|only once|at most once)\b", re.IGNORECASE
)


def unconfirmed_changes(reading: Reading) -> Iterator[Sign]:
    """Find changes that the user has not agreed to, where the prompt asks for an agreement."""
    rule = _rule(reading, _CONFIRM)
    for step in reading.steps if rule else ():
        request = reading.request(step)
        changes = [call for call in step.calls if is_write(call) and not is_thought(call)]
        if changes and request is not None and not _YES.search(request.text):
            yield Sign(
                step=step,
                rule="unconfirmed_change",
                what=f"{changes[0].name} is called though the user has not agreed; the prompt says: "
                f"“{words.shown(rule)}”.",
                failure_type=FailureType.PROMPT_ISSUE,
                quote=words.quote(request.text),
                quoted=request,
                subject=changes[0].name,
            )


def actions_on_questions(reading: Reading) -> Iterator[Sign]:
    """Find changes that the user had only asked about."""
    for step in reading.steps:
        request = reading.request(step)
        changes = [call for call in step.calls if is_write(call) and not is_thought(call) and not is_handover(call)]
        if changes and request is not None and _asks_only(request.text):
            yield Sign(
                step=step,
                rule="action_on_question",
                what=f"The user only asked a question, and the agent answered it with an act: {changes[0].name}.",
                failure_type=FailureType.PROMPT_ISSUE,
                quote=words.quote(request.text),
                quoted=request,
                subject=changes[0].name,
            )


def _asks_only(text: str) -> bool:
    """Tell whether a text is a question about what would be, and asks for nothing to be done."""
    return bool(_WOULD.search(text)) and not _ASKED.search(text)


def skipped_first_steps(reading: Reading) -> Iterator[Sign]:
    """Find the agent going to work before the step that the prompt wants first."""
    rule = next(
        (sentence for sentence in words.sentences(reading.told) if _FIRST.search(sentence) and _MUST.search(sentence)),
        "",
    )
    wanted = set(re.findall(r"[a-z]+", rule.lower()))
    fitting = [name for name in reading.tools if len(set(name.lower().split("_")) & wanted) > 1]
    first = next(
        (step for step in reading.steps if step.calls and not all(is_thought(call) for call in step.calls)), None
    )
    if rule and fitting and first is not None and first.calls[0].name not in fitting:
        yield Sign(
            step=first,
            rule="skipped_first_step",
            what=f"The agent begins with {first.calls[0].name}, though the prompt says: “{words.shown(rule)}”.",
            failure_type=FailureType.PROMPT_ISSUE,
            quote=first.calls[0].name,
            subject=first.calls[0].name,
        )


def repeated_changes(reading: Reading) -> Iterator[Sign]:
    """Find a second change of a record where the prompt allows one: the first left something out."""
    rule = _rule(reading, _ONCE)
    done: dict[tuple[str, str], Step] = {}
    for step in reading.steps if rule else ():
        for call in step.calls:
            key = (call.name, next(values(call.arguments), ""))
            if is_write(call) and not is_thought(call) and _named(call.name) & words.content(rule) and key in done:
                yield Sign(
                    step=done[key],
                    rule="incomplete_change",
                    what=f"{call.name} was called here and had to be called again later; the prompt says: "
                    f"“{words.shown(rule)}”.",
                    failure_type=FailureType.ORCHESTRATION_ISSUE,
                    quote=call.name,
                    subject=call.name,
                )
            if not any(is_failed(result) for result in reading.results.get(step.number, ())):
                done.setdefault(key, step)


def _rule(reading: Reading, pattern: re.Pattern[str]) -> str:
    return next((sentence for sentence in words.sentences(reading.told) if pattern.search(sentence)), "")


def _named(tool: str) -> frozenset[str]:
    return words.content(tool.replace("_", " "))

"""What the failed checks point at: the answer, the call, or the search that found something else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.llm.builtin import words
from pytest_refinery.llm.builtin.reading import Sign, walk
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.expectations.verdicts import CheckFailure
    from pytest_refinery.llm.builtin.reading import Reading
    from pytest_refinery.traces.conversation import Step

_SHOWN_OF_AN_ERROR = 100
_TEXT_KEYS = ("page_content", "text", "content", "title")
_SEARCHES = re.compile(r"search|retrieve|retrieval|look_?up|query|article|document|knowledge|faq|wiki", re.IGNORECASE)


def failed_checks(reading: Reading) -> Iterator[Sign]:
    """Point at the answers that a check has found wrong."""
    for failure, step in _checked(reading):
        if step.role == "assistant":
            said = _objected(step.text, failure) or words.nearest(step.text, reading.expected) or step.speaker
            yield Sign(
                step=step,
                rule="failed_check",
                what=f"The answer is “{words.shown(said)}”, but a check {_demanded(failure)}.",
                failure_type=FailureType.PROMPT_ISSUE,
                quote=said,
            )


def _demanded(failure: CheckFailure) -> str:
    return words.shown(f"expected {failure.expected}", limit=160)


def checked_calls(reading: Reading) -> Iterator[Sign]:
    """Point at the step that made a call which a check has found wrong, unless what is wrong is that it failed."""
    for failure, step in _checked(reading):
        caller = reading.caller(step)
        if caller is not None and not _is_about_failure(failure, step):
            yield Sign(
                step=caller,
                rule="checked_call",
                what=f"The call of {step.speaker} made here is not the expected one: "
                f"{words.shown(failure.actual, limit=160)}.",
                failure_type=FailureType.PROMPT_ISSUE,
                quote=step.speaker,
                quoted=step,
                subject=step.speaker,
            )


def _is_about_failure(failure: CheckFailure, step: Step) -> bool:
    first = step.text.strip().partition("\n")[0][:_SHOWN_OF_AN_ERROR]
    return step.is_error and bool(first) and first in failure.actual


def first_said(reading: Reading) -> Iterator[Sign]:
    """Lead a figure in an answer that failed a check back to the agent's words where it first stands."""
    for failure, step in _checked(reading):
        for figure in words.figures(_objected(step.text, failure)):
            number = reading.figures[words.normal(figure)][0]
            origin = reading.steps[number - 1] if 0 < number < step.number else None
            if origin is not None and origin.role == "assistant":
                yield Sign(
                    step=origin,
                    rule="first_said",
                    what=f"The figure {figure}, which a check found wrong later, is first said here.",
                    failure_type=FailureType.MODEL_LIMITATION,
                    quote=words.quote(origin.text, around=_place(origin.text, figure)),
                    subject=figure,
                )
                break


def _place(text: str, figure: str) -> int:
    """Return where a figure stands in a text that may write it with separators."""
    found = re.search(r",?".join(map(re.escape, figure)), text)
    return found.start() if found else 0


def missed_searches(reading: Reading) -> Iterator[Sign]:
    """Find searches of which none returned what the expectation names."""
    wanted = _named(reading)
    results = [step for step in reading.steps if step.role == "tool"]
    searches = [step for step in results if _is_search(reading, step)]
    if not wanted or not searches or any(word in step.text for word in wanted for step in results):
        return
    step = searches[-1]
    found = _first_text(reading, step)
    yield Sign(
        step=step,
        rule="retrieval_missed",
        what=f"{step.speaker} found “{words.shown(found, limit=80)}”, but nothing with “{wanted[0]}”.",
        failure_type=FailureType.RETRIEVAL_ISSUE,
        quote=found,
        subject=step.speaker,
    )


def _first_text(reading: Reading, step: Step) -> str:
    """Return the first sentence of what a search found, out of its documents where there are some."""
    texts = (document.get(key) for document in walk(reading.result(step)) for key in _TEXT_KEYS)
    return words.quote(next((text for text in texts if isinstance(text, str) and text.strip()), step.text))


def _is_search(reading: Reading, step: Step) -> bool:
    return reading.case.trace.by_id[step.run_id].kind == RunKind.RETRIEVER or bool(_SEARCHES.search(step.speaker))


def _named(reading: Reading) -> list[str]:
    """Return the figures of the expectation, and what checks missed in an answer, in their own writing."""
    missed = [str(failure.argument) for failure in reading.case.failures if failure.check == "output.contains"]
    return [*missed, *(found for found in words.figures(reading.case.expect) if len(found) > 1)]


def _checked(reading: Reading) -> Iterator[tuple[CheckFailure, Step]]:
    """Yield each failed check with the step that it names; a root run stands for its last answer."""
    roots = {run.id for run in reading.case.trace.roots}
    last = next((step for step in reversed(reading.steps) if step.role == "assistant"), None)
    for failure in reading.case.failures:
        named = [step for step in reading.steps if step.run_id == failure.run_id and step.role in {"assistant", "tool"}]
        if named:
            yield failure, named[-1]
        elif failure.run_id in roots and last is not None:
            yield failure, last


def _objected(text: str, failure: CheckFailure) -> str:
    """Return the sentence of ``text`` that a check objects to, or an empty string."""
    place = text.find(failure.text) if failure.text else -1
    return words.quote(text, around=place) if place >= 0 else ""

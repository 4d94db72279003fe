"""Where the final answer comes from, and what it rests on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.llm.builtin import words
from pytest_refinery.llm.builtin.reading import Sign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.llm.builtin.reading import Reading
    from pytest_refinery.traces.conversation import Step

_SHORTEST_ANSWER = 40
_EMPHASISED = re.compile(
    r"\*\*([^*\n]{2,60})\*\*|[\"“]([^\"”\n]{2,60})[\"”]|`([^`\n]{2,60})`|(?:\bis|:)\s+([A-Z][\w'-]*(?: [A-Z][\w'-]*)*)"
)
_INVENTED = re.compile(
    r"\b(simulat(e|ed|ing)|assum(e|ed|ing|ption)|hypothetical(ly)?|placeholders?|mock|dummy|sample data|"
    r"example data|made[- ]up|"
    r"for demonstration|for illustration|general knowledge|fictional|let's say|suppose|typical(ly)? values?|"
    r"your[_ ]api[_ ]key)\b",
    re.IGNORECASE,
)


def invented_data(reading: Reading) -> Iterator[Sign]:
    """Find work with assumed, simulated or placeholder data in place of real data."""
    for step in reading.steps:
        found = _INVENTED.search(step.text) if step.role == "assistant" and not step.note and step.number > 1 else None
        if found:
            yield Sign(
                step=step,
                rule="invented_data",
                what=f"{step.speaker} works with data that it made up or assumed (“{words.shown(found.group())}”).",
                failure_type=FailureType.MODEL_LIMITATION,
                quote=words.quote(step.text, around=found.start()),
            )


def origins(reading: Reading) -> Iterator[Sign]:
    """Find the step in which what the final answer says stands for the first time."""
    final = _final(reading) if reading.shape != "desk" else None
    if final is None:
        return
    given = f"{reading.steps[0].text}\n{reading.case.expect}".lower()
    for said in _answered(final.text):
        origin = next((step for step in reading.steps[1:] if said.lower() in step.text.lower()), None)
        if said.lower() in given or origin is None:
            continue
        step = reading.caller(origin) or origin
        yield Sign(
            step=step,
            rule="origin_of_answer",
            what=f"The final answer's “{words.shown(said)}” comes from here.",
            failure_type=FailureType.MODEL_LIMITATION,
            quote=words.quote(origin.text, around=origin.text.lower().find(said.lower())),
            quoted=origin,
        )
        return


def _final(reading: Reading) -> Step | None:
    spoken = [step for step in reading.steps if step.role == "assistant" and len(step.text) >= _SHORTEST_ANSWER]
    return spoken[-1] if len(spoken) > 1 else None


def _answered(text: str) -> list[str]:
    """Return what an answer stresses, then its figures."""
    stressed = ["".join(groups).strip() for groups in _EMPHASISED.findall(text)]
    return [*stressed, *(figure for figure in words.figures(text) if len(figure) > 1)]

"""How near each answer is to what the expectation speaks of."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.llm.builtin import words
from pytest_refinery.llm.builtin.reading import Sign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.llm.builtin.reading import Reading
    from pytest_refinery.traces.conversation import Step

_NEAR = 0.3
_OFF_TOPIC = 0.5
_FEWEST_WORDS = 6
_SPECIFIC = re.compile(r"(?<=[a-z,;:] )[A-Z][\w-]+|\b\d[\d.,]*\b|[\"“][^\"”]+[\"”]")
# Where the task itself should stand, there is the output of something that failed.
_ERROR_AS_TASK = re.compile(r"^(exitcode: [1-9].*|error: .*|traceback .*)$", re.IGNORECASE | re.MULTILINE)
_BEGINNING = 600


def expected_topics(reading: Reading) -> Iterator[Sign]:
    """Find the answers that share the rarer words of the expectation."""
    spread = Counter(word for vocabulary in reading.vocabulary for word in vocabulary & reading.expected)
    weight = {word: 1 / (1 + math.log(spread[word])) for word in spread}
    total = sum(weight.values())
    for step, vocabulary in zip(reading.steps, reading.vocabulary, strict=True):
        share = sum(weight[word] for word in vocabulary & reading.expected) / total if total else 0.0
        if step.role == "assistant" and step.text and share >= _NEAR:
            yield Sign(
                step=step,
                rule="expected_topic",
                what=f"This is where {step.speaker} speaks of what the expectation is about, and does not meet it.",
                failure_type=FailureType.PROMPT_ISSUE,
                quote=words.nearest(step.text, reading.expected),
                strength=share,
            )


def off_topic_starts(reading: Reading) -> Iterator[Sign]:
    """Find work that begins with something else than what the expectation asks for."""
    first = next((step for step in reading.steps if step.role == "assistant"), None)
    if first is None or reading.request(first) is not None:
        return
    error = _ERROR_AS_TASK.search(first.text[:_BEGINNING])
    if error or _is_off_topic(reading, first):
        yield Sign(
            step=first,
            rule="off_topic_start",
            what="The work began with an error message in place of the task."
            if error
            else f"{first.speaker} began with another task than the one expected.",
            failure_type=FailureType.ORCHESTRATION_ISSUE,
            quote=words.quote(first.text, around=error.start() if error else 0),
        )


def _is_off_topic(reading: Reading, first: Step) -> bool:
    """Tell whether a particular expectation has little in common with the first step; a general one has with all."""
    expect = reading.case.expect
    if len(reading.expected) < _FEWEST_WORDS or not _SPECIFIC.search(expect):
        return False
    return len(reading.vocabulary[first.number - 1] & reading.expected) / len(reading.expected) < _OFF_TOPIC

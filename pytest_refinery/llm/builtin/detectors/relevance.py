"""How near each answer is to what the expectation speaks of."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.llm.builtin import words
from pytest_refinery.llm.builtin.reading import Sign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.llm.builtin.reading import Reading

_NEAR = 0.3


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
                what="This is where the agent speaks of what the expectation is about, and does not meet it.",
                failure_type=FailureType.PROMPT_ISSUE,
                quote=_nearest(step.text, reading.expected),
                strength=share,
            )


def _nearest(text: str, expected: frozenset[str]) -> str:
    best = max(words.sentences(text), key=lambda sentence: len(words.content(sentence) & expected), default=text)
    return words.quote(best)

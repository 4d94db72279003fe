"""Figures in answers that the trace does not support."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.llm.builtin import words
from pytest_refinery.llm.builtin.reading import Sign, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.llm.builtin.reading import Reading
    from pytest_refinery.traces.conversation import Step

_LIST_NUMBER = re.compile(r"^\s*(?:\*\*|#+\s*)?\d+[.)]\s|step \d+", re.IGNORECASE | re.MULTILINE)
_NAMES = re.compile(r'"(?:name|title|subject|label)": "([^"]{2,60})"')
_COUNT = re.compile(
    r"\b(?:are|is|have|has|found|total of|offer|currently) (?P<count>\d{1,3})\b(?P<what>[^.!?\n]{0,80})"
)
# Shorter figures stand anywhere.
_SHORTEST_SOURCED = 4
_LONGEST_RESULT = 400_000


def ungrounded_figures(reading: Reading) -> Iterator[Sign]:
    """Find figures in an answer that stand nowhere before it."""
    has_sources = any(step.role == "tool" for step in reading.steps)
    for step in reading.steps:
        if step.role != "assistant" or step.calls or not has_sources:
            continue
        unknown = [
            figure for figure in words.figures(_LIST_NUMBER.sub("", step.text)) if _is_new(reading, figure, step)
        ]
        if unknown:
            yield Sign(
                step=step,
                rule="ungrounded_figure",
                what=f"The answer gives the figure {unknown[0]}, which stands nowhere before it in the trace.",
                failure_type=FailureType.MODEL_LIMITATION,
                quote=words.quote(step.text, around=max(step.text.find(unknown[0]), 0)),
                strength=min(1.0, 0.4 + 0.2 * len(unknown)),
                subject=unknown[0],
            )


def _is_new(reading: Reading, figure: str, step: Step) -> bool:
    return len(figure) > 1 and reading.figures[words.normal(figure)][0] == step.number


def miscounts(reading: Reading) -> Iterator[Sign]:
    """Find counts that differ from the number of entries the last tool result marks that way."""
    for step in reading.steps:
        found = _COUNT.search(step.text) if step.role == "assistant" else None
        result = next((earlier for earlier in reading.turn(step) if earlier.role == "tool"), None) if found else None
        if found is None or result is None or len(result.text) > _LONGEST_RESULT:
            continue
        for word, count in _marked(reading.result(result)).items():
            if words.stem(word) in words.content(found["what"]) and count != int(found["count"]):
                yield Sign(
                    step=step,
                    rule="miscounted",
                    what=f"The answer counts {found['count']}, but {result.speaker} marked {count} entries as {word}.",
                    failure_type=FailureType.MODEL_LIMITATION,
                    quote=words.quote(step.text, around=found.start()),
                    subject=word,
                )


def _marked(result: object) -> Counter[str]:
    """Count the entries of a result that are marked true, by the word of the mark; 0 for a mark that never is."""
    counts: Counter[str] = Counter()
    for item in walk(result):
        counts.update({str(key): int(value) for key, value in item.items() if isinstance(value, bool)})
    return counts


def misattributed_figures(reading: Reading) -> Iterator[Sign]:
    """Find a figure given for something that the result it comes from does not mention."""
    asked: set[str] = set()
    named = frozenset().union(*map(words.content, _record_names(reading)))
    for step in reading.steps:
        if step.role == "user":
            asked |= reading.vocabulary[step.number - 1]
        if step.role != "assistant" or step.calls or not asked:
            continue
        for sentence in words.sentences(step.text):
            source = _source(reading, step, sentence)
            missing = (words.content(sentence) & asked & named) - _vocabulary(reading, source) if source else None
            if source is not None and missing:
                yield _misattributed(step, sentence, source, min(missing))
                break


def _source(reading: Reading, step: Step, sentence: str) -> Step | None:
    """Return the only result that has a long figure of ``sentence``."""
    for figure in words.figures(sentence):
        numbers = reading.figures[words.normal(figure)] if len(figure) >= _SHORTEST_SOURCED else ()
        holders = [reading.steps[number - 1] for number in numbers if 0 < number < step.number]
        texts = {holder.text: holder for holder in holders if holder.role == "tool"}
        if len(texts) == 1:
            return next(iter(texts.values()))
    return None


def _record_names(reading: Reading) -> Iterator[str]:
    for step in reading.steps:
        if step.role == "tool":
            yield from _NAMES.findall(step.text[:_LONGEST_RESULT])


def _vocabulary(reading: Reading, source: Step) -> frozenset[str]:
    return words.content(source.speaker.replace("_", " ")) | reading.vocabulary[source.number - 1]


def _misattributed(step: Step, sentence: str, source: Step, word: str) -> Sign:
    return Sign(
        step=step,
        rule="misattributed_figure",
        what=f"The answer takes a figure from the result of {source.speaker}, which says nothing about “{word}”.",
        failure_type=FailureType.MODEL_LIMITATION,
        quote=words.quote(sentence),
        subject=word,
    )

"""Figures in answers that the trace does not support."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.llm.builtin import words
from pytest_refinery.llm.builtin.reading import Sign

if TYPE_CHECKING:
    from pytest_refinery.llm.builtin.reading import Reading
    from pytest_refinery.traces.conversation import Step

_LIST_NUMBER = re.compile(r"^\s*(?:\*\*|#+\s*)?\d+[.)]\s|step \d+", re.IGNORECASE | re.MULTILINE)
_NAMES = re.compile(r'"(?:name|title|subject|label)": "([^"]{2,60})"')
_COUNT = re.compile(r"\b(?:are|is|have|has|found|total of|offer|currently) (?P<count>\d{1,3})\b(?P<what>[^.!?\n]{0,80})")
_LONGEST_RESULT = 400_000


def ungrounded_figures(reading: Reading) -> Iterator[Sign]:
    """Find figures in an answer that stand nowhere before it."""
    has_sources = any(step.role == "tool" for step in reading.steps)
    for step in reading.steps:
        if step.role != "assistant" or step.calls or not has_sources:
            continue
        known = set(words.figures(reading.earlier_text(step)))
        unknown = [figure for figure in words.figures(_LIST_NUMBER.sub("", step.text)) if _is_new(figure, known)]
        if unknown:
            yield Sign(
                step=step,
                rule="ungrounded_figure",
                what=f"The answer gives the figure {unknown[0]}, which stands nowhere before it in the trace.",
                failure_type=FailureType.MODEL_LIMITATION,
                quote=words.quote(step.text, around=_place(step.text, unknown[0])),
                strength=min(1.0, 0.4 + 0.2 * len(unknown)),
                subject=unknown[0],
            )


def _is_new(figure: str, known: set[str]) -> bool:
    return figure not in known and f"{float(figure):g}" not in known and (len(figure) > 1 or "." in figure)


def _place(text: str, figure: str) -> int:
    return max(text.replace(",", "").find(figure), 0) if "," not in text else max(text.find(figure), 0)


def miscounts(reading: Reading) -> Iterator[Sign]:
    """Find counts that differ from the number of entries the last tool result marks that way."""
    for step in reading.steps:
        found = _COUNT.search(step.text) if step.role == "assistant" else None
        result = next((earlier for earlier in reversed(reading.turn(step)) if earlier.role == "tool"), None) if found else None
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


def _marked(value: object) -> dict[str, int]:
    """Count the entries of a result that are marked true, by the word of the mark."""
    counts: dict[str, int] = {}
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            for key, inner in item.items():
                if isinstance(inner, bool):
                    counts[key] = counts.get(key, 0) + inner
                else:
                    stack.append(inner)
        elif isinstance(item, list):
            stack.extend(item)
    return counts


def misattributed_figures(reading: Reading) -> Iterator[Sign]:
    """Find a figure given for something that the result it comes from does not mention."""
    for step in reading.steps:
        if step.role != "assistant" or step.calls or reading.request(step) is None:
            continue
        users = [earlier.number for earlier in reading.conversation.before(step) if earlier.role == "user"]
        asked = frozenset().union(*(reading.vocabulary[number - 1] for number in users))
        for sentence in words.sentences(step.text):
            source = _source(reading, step, sentence)
            missing = _missing(reading, sentence, source, asked) if source else frozenset()
            if source is not None and missing:
                yield _misattributed(step, sentence, source, sorted(missing)[0])
                break


def _source(reading: Reading, step: Step, sentence: str) -> Step | None:
    """Return the only result that has a long figure of ``sentence``."""
    for figure in words.figures(sentence):
        holders = [earlier for earlier in reading.conversation.before(step) if earlier.role == "tool" and figure in earlier.text]
        if len(figure) > 3 and len({holder.text for holder in holders}) == 1:  # noqa: PLR2004  (short figures stand anywhere)
            return holders[0]
    return None


def _missing(reading: Reading, sentence: str, source: Step, asked: frozenset[str]) -> frozenset[str]:
    """Return what user and answer speak of, and other results do, but not the figure's source."""
    spoken = words.content(sentence) & asked
    named = words.content(source.speaker.replace("_", " ")) | reading.vocabulary[source.number - 1]
    records = (name for step in reading.steps if step.role == "tool" for name in _NAMES.findall(step.text[:_LONGEST_RESULT]))
    return (spoken & frozenset().union(*map(words.content, records))) - named


def _misattributed(step: Step, sentence: str, source: Step, word: str) -> Sign:
    return Sign(
        step=step,
        rule="misattributed_figure",
        what=f"The answer takes a figure from the result of {source.speaker}, which says nothing about “{word}”.",
        failure_type=FailureType.MODEL_LIMITATION,
        quote=words.quote(sentence),
        subject=word,
    )

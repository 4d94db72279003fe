"""What belongs to one case alone, and so in no prompt: its expected values, ids, figures, names and sentences."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_refinery.traces import json_values, messages
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.analysis.ports import Case

_WORD = re.compile(r"[#$€£]?\w[\w.,:/@-]*\w|\w")
_PLAIN = re.compile(r"\w+")
# Words in a row that repeat a sentence, and the digits that make a word an id or a figure.
_REPEATED, _DIGITS = 6, 3
# What a tool is called, or that it was called, is no value of the case.
_NO_VALUES = frozenset({"tools.called", "tools.not_called", "tools.in_order", "tools.at_most", "python"})


def repeated_in(text: str, case: Case) -> str | None:
    """Return what ``text`` carries of ``case``: a value, or words in a row of its question or expectation.

    What the agent's own prompts say belongs to no case.
    """
    known = _folded(" ".join((*(file.text for file in case.prompt_files), *_prompt_texts(case))))
    found = (each for each in _carried(text, case) if not _stands_in(each, known))
    said = f" {' '.join(_PLAIN.findall(text.casefold()))} "
    return next(found, None) or next((run for each in _sentences(case) for run in _runs(each) if run in said), None)


def _prompt_texts(case: Case) -> Iterator[str]:
    return (prompt.text for prompt in case.prompts if prompt.kind in {"system", "template"})


def _carried(text: str, case: Case) -> Iterator[str]:
    """Yield the values of a case that stand in ``text``, folded."""
    shown = _folded(text)
    yield from (folded for each in _values(case) if _stands_in(folded := _folded(each), shown))
    texts = (case.expect, case.business_context, *_texts(case))
    for candidate in (*_figures(text), *_capitals(text)):
        if any(candidate in each for each in texts):
            yield _folded(candidate)


def _values(case: Case) -> Iterator[str]:
    """Yield the values that checks demand or forbid, and what tools call a name."""
    demanded = [failure.argument for failure in case.failures if failure.check not in _NO_VALUES]
    yield from (each for _, each in _leaves(demanded) if len(each) > 1 and _PLAIN.search(each))
    recorded = [value for run in case.trace.runs if run.kind == RunKind.TOOL for value in (run.inputs, run.outputs)]
    yield from (each for key, each in _leaves(recorded) if "name" in key.casefold() and len(each) > 1)


def _texts(case: Case) -> tuple[str, ...]:
    recorded = [value for run in case.trace.runs for value in (run.inputs, run.outputs)]
    return tuple(dict.fromkeys(text for _, text in _leaves(recorded)))


def _figures(text: str) -> Iterator[str]:
    """Yield the words of which digits make the most, or enough: ids, figures, dates."""
    return (word for word in _WORD.findall(text) if sum(map(str.isdigit, word)) >= _DIGITS)


def _capitals(text: str) -> Iterator[str]:
    """Yield pairs of words that both begin with a capital, as the names of people do."""
    for first, second in pairwise(text.split()):
        if first[0].isupper() and second[0].isupper() and first.isalpha():
            yield f"{first} {second.strip('.,;:!?')}"


def _leaves(value: object) -> Iterator[tuple[str, str]]:
    """Yield the texts and figures in a JSON value, each with the key that it stands under."""
    return ((key, str(each)) for key, each in json_values.leaves(value) if not isinstance(each, bool))


def _stands_in(value: str, text: str) -> bool:
    return bool(value) and value in text and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


def _sentences(case: Case) -> Iterator[str]:
    yield case.expect
    yield from (prompt.text for prompt in case.prompts if prompt.kind == "user")
    if not case.prompts:
        yield from (message.text for run in case.trace.runs[:1] for message in messages.read([run.inputs]).messages)


def _runs(sentence: str) -> Iterator[str]:
    """Yield each so many words in a row of a sentence, the whole of a short one."""
    words = _PLAIN.findall(sentence.casefold())
    size = min(_REPEATED, len(words))
    if size > 1:
        yield from (f" {' '.join(words[start : start + size])} " for start in range(len(words) - size + 1))


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())

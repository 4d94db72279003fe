"""Words, sentences and figures of a text; what rules compare texts by."""

from __future__ import annotations

import re

LONGEST_QUOTE = 240

_SHORTEST_STEM = 3

_WORD = re.compile(r"[a-z][a-z']{2,}")
_FIGURE = re.compile(r"(?<![\w.,])[#$€£]?\d[\d,]*(?:\.\d+)?(?![\w])")
_TOKEN = re.compile(r"[\w@+.-]+")
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?=\d|\w)[^.!?\n]*)*[.!?]*")
# Words that say nothing about what a sentence is about.
_STOP = frozenset(
    "a about after again all also am an and any are as at be because been before being but by can could did do does "
    "doing done each else ever every for from further get give given gives got had has have he her here hers him his "
    "how i if in into is it its itself just let like made make makes may me might more most much must my need needs "
    "no nor not now of off on once one only or other our out over own per please same say says she should so some "
    "such than that the their them then there these they this those through to too under until up upon us use used "
    "using very want wants was we were what when where which while who whom why will with would yes you your yours "
    "agent assistant user customer answer answers request correctly".split()
)


def sentences(text: str) -> list[str]:
    """Return the sentences of ``text``, each as it stands there."""
    return [found.strip() for found in _SENTENCE.findall(text) if found.strip()]


def content(text: str) -> frozenset[str]:
    """Return the stems of the words in ``text`` that carry its meaning."""
    return frozenset(stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP)


def stem(word: str) -> str:
    """Return ``word`` without the endings that English puts on verbs and nouns."""
    word = word.removesuffix("'s").strip("'")
    for ending in (
        "ations",
        "ation",
        "ings",
        "ing",
        "ies",
        "ied",
        "ions",
        "ion",
        "ments",
        "ment",
        "ers",
        "es",
        "ed",
        "er",
        "s",
        "y",
        "e",
    ):
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word.removesuffix(ending)
    return word


def figures(text: str) -> list[str]:
    """Return the numbers in ``text`` as written, without currency signs and thousands separators."""
    return [found.lstrip("#$€£").replace(",", "").rstrip(".") for found in _FIGURE.findall(text)]


def normal(figure: str) -> str:
    """Return a figure as all ways to write the same number have it: ``30.00`` and ``30`` are one."""
    return figure.rstrip("0").rstrip(".") if "." in figure else figure


def tokens(text: str) -> set[str]:
    """Return what stands between white space and punctuation: words, numbers, identifiers."""
    return {found.strip(".-") for found in _TOKEN.findall(text.lower())}


def quote(text: str, *, around: int = 0) -> str:
    """Return the sentence of ``text`` at the offset ``around``, cut between words where it is long.

    What is returned stands literally in ``text``, white space apart.
    """
    for found in _SENTENCE.finditer(text):
        if found.start() <= around < found.end() and found.group().strip():
            return _cut(found.group().strip())
    return _cut(text[around:].strip() or text.strip())


def nearest(text: str, about: frozenset[str]) -> str:
    """Return the sentence of ``text`` that has most words in common with ``about``, of equals the last."""
    best = max(reversed(sentences(text)), key=lambda sentence: len(content(sentence) & about), default=text)
    return quote(best)


def _cut(text: str) -> str:
    if len(text) <= LONGEST_QUOTE:
        return text
    return text[: text.rfind(" ", 0, LONGEST_QUOTE) if " " in text[:LONGEST_QUOTE] else LONGEST_QUOTE]


def shown(text: str, *, limit: int = 120) -> str:
    """Return ``text`` on one line for a message, shortened to ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"

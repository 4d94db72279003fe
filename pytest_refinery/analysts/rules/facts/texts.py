"""Sentences and words of a text, and how it is quoted."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from pytest_refinery.analysts.rules.facts.cues import Cues, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_QUOTE = 240
_LONGEST_SENTENCE = 2000
_END = re.compile(r"(?<![.!?])[.!?]++[\"'\u201d\u2019)\]*]{0,3}(?=\s)|[\u3002\uff01\uff1f]++|\n++")
_LAST_WORD = re.compile(r"[\w.]{1,24}$")
_NEXT_WORD = re.compile(r"\s*([^\W\d_]+)")
_WORD = re.compile(r"[^\W_][\w']*")
_SHORTEST_WORD = 3
_SHORTEST_STEM = 4
# "cancelled" and "cancel".
ASCII = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_DOUBLED = re.compile(r"([^\W\d_aeiou])\1$")
# What English, German and Romance languages put on verbs and nouns.
_ENDINGS = ("ations", "ation", "ingly", "ings", "ing", "ions", "ion", "ments", "ment", "ies", "ied", "ers", "es", "ed")
_MORE_ENDINGS = ("er", "en", "s", "y", "e")
_CJK = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]{2,}")


def spans(text: str, cues: Cues) -> Iterator[tuple[int, int]]:
    """Yield where each sentence of ``text`` begins and ends; an ordinal or an abbreviation ends none."""
    start = 0
    for found in _END.finditer(text):
        if found.group()[0] == "." and not _ends(text, found, cues):
            continue
        if text[start : found.end()].strip():
            yield start, found.end()
        start = found.end()
    if text[start:].strip():
        yield start, len(text)


def _ends(text: str, found: re.Match[str], cues: Cues) -> bool:
    last = _LAST_WORD.search(text, max(0, found.start() - 24), found.start())
    word = last.group().lower() if last else ""
    if word in cues["abbreviations"] or word.endswith(tuple(f".{short}" for short in ("g", "b", "m", "h"))):
        return False
    if not word.isdecimal() or len(word) > 2:  # noqa: PLR2004  (an ordinal of a day or of a list)
        return True
    following = _NEXT_WORD.match(text, found.end())
    begins_line = not text[: last.start() if last else 0].rpartition("\n")[2].strip(" *#-\t")
    is_day = following is not None and (following[1].lower() in cues["months"] or following[1][0].islower())
    return not (begins_line or is_day)


def sentences(text: str, cues: Cues) -> list[str]:
    """Return the sentences of ``text``, each as it stands there."""
    return [text[start:end].strip() for start, end in spans(text, cues)]


def sentence_at(text: str, place: int, cues: Cues) -> str:
    """Return the sentence of ``text`` around an offset."""
    low, high = max(0, place - _LONGEST_SENTENCE), place + _LONGEST_SENTENCE
    window = text[low:high]
    for start, end in spans(window, cues):
        if start <= place - low < end:
            return window[start:end].strip()
    return window[place - low :].strip() or window.strip()


def quote(text: str, place: int, cues: Cues) -> str:
    """Return words of ``text`` around an offset as they stand there, cut between words where they are long."""
    sentence = sentence_at(text, place, cues)
    if len(sentence) <= LONGEST_QUOTE:
        return sentence
    at = max(0, sentence.find(text[place : place + 20]))
    low = max(0, min(at - LONGEST_QUOTE // 2, len(sentence) - LONGEST_QUOTE))
    return _between_words(sentence, low, low + LONGEST_QUOTE)


def _between_words(text: str, low: int, high: int) -> str:
    cut = text[low:high]
    if high < len(text) and " " in cut:
        cut = cut[: cut.rfind(" ")]
    if low > 0 and " " in cut:
        cut = cut[cut.find(" ") + 1 :]
    return cut.strip()


def shown(text: str, limit: int = 120) -> str:
    """Return ``text`` on one line for a message, shortened to ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def words(text: str) -> list[str]:
    """Return the words of ``text`` in their order, as written."""
    return [*_WORD.findall(plain(text)), *(pair for run in _CJK.findall(text) for pair in _pairs(run))]


def _pairs(run: str) -> Iterator[str]:
    return (run[place : place + 2] for place in range(len(run) - 1))


def content(text: str, cues: Cues) -> frozenset[str]:
    """Return the stems of the words that carry the meaning of ``text``."""
    stops = cues.stop_words
    return frozenset(stem(word) for word in map(str.lower, words(text)) if _carries_meaning(word) and word not in stops)


def _carries_meaning(word: str) -> bool:
    return not word.isdecimal() and (len(word) >= _SHORTEST_WORD or not word.isascii())


def related(some: frozenset[str], others: frozenset[str]) -> bool:
    """Tell whether two sets of stems share one, or one that begins another: "oper" and "operation"."""
    if some & others:
        return True
    long = [word for word in some if len(word) >= _SHORTEST_STEM]
    return any(one.startswith(o) or o.startswith(one) for o in others if len(o) >= _SHORTEST_STEM for one in long)


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Return ``word`` without an ending that says only its form."""
    bare = word.removesuffix("'s").strip("'")
    ending = next(
        (e for e in (*_ENDINGS, *_MORE_ENDINGS) if bare.endswith(e) and len(bare) - len(e) >= _SHORTEST_STEM), ""
    )
    return _DOUBLED.sub(r"\1", bare.removesuffix(ending)).translate(ASCII)

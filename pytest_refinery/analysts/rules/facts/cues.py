"""The words that rules look for, by language, and a guess at the language of a text.

A file ``cues/<language>.toml`` holds lists of words. A phrase is looked for without case and, where its
script has spaces, as whole words. In a language without a file, rules stay with values, calls and records.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_APOSTROPHES = str.maketrans("\N{RIGHT SINGLE QUOTATION MARK}\N{MODIFIER LETTER APOSTROPHE}", "''")
_WORD = re.compile(r"[^\W\d_]+")
_KANA = re.compile(r"[\u3040-\u30ff]")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_SAMPLE = 20_000
_ENOUGH_CHARACTERS = 3
_LEAST_SHARE = 0.12
_LEAST_WORDS = 2


@cache
def languages() -> tuple[str, ...]:
    """Return the languages that have a file of cues."""
    folder = resources.files(__package__ or "").joinpath("../cues")
    return tuple(sorted(path.name.removesuffix(".toml") for path in folder.iterdir() if path.name.endswith(".toml")))


@cache
def _file(language: str) -> dict[str, object]:
    path = resources.files(__package__ or "").joinpath("../cues", f"{language}.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def _listed(language: str, name: str) -> tuple[str, ...]:
    value = _file(language).get(name, ())
    return tuple(value.split()) if isinstance(value, str) else tuple(map(str, value if isinstance(value, list) else ()))


def guess(text: str) -> str:
    """Return the language of ``text`` by its script and its stop words, ``""`` where neither says."""
    sample = text[:_SAMPLE]
    if len(_KANA.findall(sample)) >= _ENOUGH_CHARACTERS:
        return "ja"
    if len(_HAN.findall(sample)) >= _ENOUGH_CHARACTERS:
        return "zh"
    words = Counter(word.lower() for word in _WORD.findall(sample))
    scores = {language: sum(words[stop] for stop in _stops(language)) for language in languages()}
    best = max(scores, key=lambda language: scores[language])
    is_clear = scores[best] >= _LEAST_WORDS and scores[best] >= _LEAST_SHARE * words.total()
    return best if is_clear else ""


@cache
def _stops(language: str) -> frozenset[str]:
    return frozenset(_listed(language, "stop_words"))


class Cues:
    """The words of some languages together."""

    def __init__(self, of: Iterable[str]) -> None:
        self.languages = tuple(dict.fromkeys(language for language in of if language in languages()))

    def __getitem__(self, name: str) -> tuple[str, ...]:
        """Return the words of the list ``name`` in every language."""
        return _together(self.languages, name)

    @property
    def stop_words(self) -> frozenset[str]:
        """Words that say nothing about what a sentence is about."""
        return _stop_words(self.languages)

    @property
    def has_decimal_comma(self) -> bool:
        """Whether figures of the first language are written 1.234,56."""
        return bool(self.languages) and _file(self.languages[0]).get("decimal_comma") is True

    def pattern(self, name: str) -> re.Pattern[str]:
        """Return a pattern that finds any phrase of the list ``name``."""
        return _pattern(self.languages, name)

    def find(self, name: str, text: str) -> re.Match[str] | None:
        """Return where a phrase of the list ``name`` stands in ``text`` first."""
        return self.pattern(name).search(plain(text))

    def all(self, name: str, text: str) -> Iterator[re.Match[str]]:
        """Yield every place where a phrase of the list ``name`` stands in ``text``."""
        return self.pattern(name).finditer(plain(text))


@cache
def _together(languages: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for language in languages for word in _listed(language, name)))


@cache
def _stop_words(languages: tuple[str, ...]) -> frozenset[str]:
    return frozenset(_together(languages, "stop_words"))


@cache
def _pattern(languages: tuple[str, ...], name: str) -> re.Pattern[str]:
    return _compiled(_together(languages, name))


def plain(text: str) -> str:
    """Return ``text`` with keyboard apostrophes, every character in its place."""
    return text if text.isascii() else text.translate(_APOSTROPHES)


_NOTHING = re.compile(r"(?!)")


def _compiled(phrases: Iterable[str]) -> re.Pattern[str]:
    listed = sorted(phrases, key=len, reverse=True)
    return re.compile("|".join(map(_bounded, listed)), re.IGNORECASE) if listed else _NOTHING


def _bounded(phrase: str) -> str:
    """Return the pattern of one phrase: as whole words, unless its script has none."""
    inner = r"\s".join(map(re.escape, phrase.split()))
    if _KANA.search(phrase) or _HAN.search(phrase):
        return inner
    before = r"(?<!\w)" if phrase[0].isalnum() else ""
    after = r"(?!\w)" if phrase[-1].isalnum() else ""
    return f"{before}{inner}{after}"

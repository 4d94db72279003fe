"""Values in a text: figures, ids, dates, times and addresses, each in one form however it is written.

Digits inside dates, times and ids are no figures. Every pattern is linear in the text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from pytest_refinery.analysts.rules.facts.cues import plain
from pytest_refinery.traces import json_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_refinery.analysts.rules.facts.cues import Cues

FIGURE, ID, DATE, TIME, ADDRESS = "figure", "id", "date", "time", "address"
_LONG_NUMBER = 7
_MONTHS_OF_A_YEAR = 12
_DAYS_OF_A_MONTH = 31
_GROUP = 3
_EXACT_DECIMALS = 6

_BULLET = re.compile(r"^[ \t>*#-]{0,12}\d{1,3}[.)](?=[\s*])", re.MULTILINE)
_ADDRESS = re.compile(
    r"https?://[^\s<>\"'\])]{1,400}|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}", re.IGNORECASE
)
_ISO_DATE = re.compile(r"(?<!\d)(?P<y>[12]\d{3})[-/](?P<m>\d{1,2})[-/](?P<d>\d{1,2})(?!\d)")
_CJK_DATE = re.compile(r"(?:(?P<y>\d{4})年)?(?P<m>\d{1,2})月(?P<d>\d{1,2})日")
_SLASHED_DATE = re.compile(r"(?<![\w/.])(?P<a>\d{1,2})(?P<sep>[./])(?P<b>\d{1,2})(?P=sep)(?P<y>\d{4}|\d{2})(?![\w/])")
_TIME = re.compile(r"(?<![\d:])\d{1,2}:\d{2}(?::\d{2})?(?![\d:])")
_TOKEN = re.compile(r"#?(?<![\w-])[^\W_]{1,80}(?:[_-]{1,2}[^\W_]{1,80}){0,12}(?![\w])")
_WITH_UNIT = re.compile(r"\d{1,9}-?[^\W\d_]{1,12}")
_ORDINAL_OR_RANGE = re.compile(r"\d{1,6}-\d{1,6}")
_FIGURE = re.compile(
    r"(?<![\d.,])\d{1,3}(?:[ \u00a0\u202f'\u2019]\d{3})+(?:[.,]\d{1,2})?(?!\d)|(?<![.,]\d)\d+(?:[.,]\d+)*"
)
_DIGIT = re.compile(r"\d")


class Value(NamedTuple):
    """One value of a text.

    Attributes:
        key: The value in a form that all ways to write it share.
        text: As it stands in the text.
        other: Another way to read it: 1.234 is a thousand in one language and one and a bit in another.
    """

    kind: str
    key: str
    text: str
    start: int
    other: str = ""

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """The forms under which it is looked up."""
        return ((self.kind, self.key), (self.kind, self.other)) if self.other else ((self.kind, self.key),)

    @property
    def number(self) -> float:
        """A figure as a number."""
        return float(self.key)


def find(text: str, cues: Cues) -> list[Value]:
    """Return the values of ``text`` in their order."""
    if not _DIGIT.search(text):
        return []
    return sorted(_Finder(text, cues).values, key=lambda value: value.start)


class _Finder:
    """Takes one kind of value after the other out of a text, so that none is read twice."""

    def __init__(self, text: str, cues: Cues) -> None:
        self._text = text
        self._rest = plain(text)
        self._comma = cues.has_decimal_comma
        self.values: list[Value] = []
        worded = _worded(cues["months"])
        # "19. Juni" is a date where days are ordinals, and no entry of a list.
        for pattern in worded if self._comma else ():
            self._take(pattern, lambda found: _date(found, cues["months"]))
        self._take(_BULLET, lambda _: None)
        self._take(_ADDRESS, lambda found: (ADDRESS, found.group().lower().rstrip(".,;")))
        for pattern in (_ISO_DATE, _CJK_DATE, *worded):
            self._take(pattern, lambda found: _date(found, cues["months"]))
        self._take(_SLASHED_DATE, _slashed)
        self._take(_TIME, lambda found: (TIME, found.group().lstrip("0")))
        self._take(_TOKEN, _identifier)
        self._take_figures()

    def _take(self, pattern: re.Pattern[str], read: Callable[[re.Match[str]], tuple[str, str] | None]) -> None:
        taken = [found for found in pattern.finditer(self._rest) if self._keeps(found, read)]
        parts, end = [], 0
        for found in taken:
            parts += [self._rest[end : found.start()], "\x00" * (found.end() - found.start())]
            end = found.end()
        self._rest = "".join((*parts, self._rest[end:])) if taken else self._rest

    def _keeps(self, found: re.Match[str], read: Callable[[re.Match[str]], tuple[str, str] | None]) -> bool:
        if found.re is _BULLET:
            return True
        value = read(found)
        if value is not None:
            self.values.append(Value(*value, self._text[found.start() : found.end()], found.start()))
        return value is not None

    def _take_figures(self) -> None:
        for found in _FIGURE.finditer(self._rest):
            for key, other in [figure_keys(found.group(), decimal_comma=self._comma)]:
                self.values.append(Value(FIGURE, key, found.group(), found.start(), other))


@lru_cache(maxsize=32)
def _worded(months: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    """Return the patterns of dates whose month is a word."""
    month = "|".join(sorted(map(re.escape, months), key=len, reverse=True)) or "(?!)"
    year = r"(?:,?\s(?:de\s|del\s)?(?P<y>[12]\d{3})(?!\d))?"
    day = r"(?P<d>\d{1,2})(?:st|nd|rd|th|er|º|°|\.)?"
    return (
        re.compile(rf"(?<!\w){day}\s(?:de\s|of\s)?(?P<word>{month})(?!\w)\.?{year}", re.IGNORECASE),
        re.compile(rf"(?<!\w)(?P<word>{month})\.?\s{day}(?!\w){year}", re.IGNORECASE),
    )


def _date(found: re.Match[str], months: tuple[str, ...]) -> tuple[str, str] | None:
    parts = found.groupdict()
    word = parts.get("word")
    month = _month(word.lower(), months) if word else int(parts["m"])
    day = int(parts["d"])
    if not (1 <= month <= _MONTHS_OF_A_YEAR and 1 <= day <= _DAYS_OF_A_MONTH):
        return None
    # Without a year, and with one: a date is compared by month and day.
    return DATE, f"{month:02}-{day:02}"


def _month(word: str, months: tuple[str, ...]) -> int:
    return months.index(word) % _MONTHS_OF_A_YEAR + 1 if word in months else 0


def _slashed(found: re.Match[str]) -> tuple[str, str] | None:
    first, second = int(found["a"]), int(found["b"])
    month, day = (second, first) if first > _MONTHS_OF_A_YEAR or found["sep"] == "." else (first, second)
    return (DATE, f"{month:02}-{day:02}") if 1 <= month <= _MONTHS_OF_A_YEAR and day >= 1 else None


def _identifier(found: re.Match[str]) -> tuple[str, str] | None:
    token = found.group()
    bare = token.removeprefix("#")
    if not _DIGIT.search(token) or (_WITH_UNIT.fullmatch(token) or _ORDINAL_OR_RANGE.fullmatch(token)):
        return None
    digits = sum(character.isdigit() for character in bare)
    is_identifier = len(bare) > digits or token != bare or digits >= _LONG_NUMBER
    return (ID, identifier_key(token)) if is_identifier else None


def identifier_key(text: str) -> str:
    """Return an id in one form: case and a leading number sign do not count."""
    return text.strip().removeprefix("#").lower()


@lru_cache(maxsize=50_000)
def figure_keys(text: str, *, decimal_comma: bool = False) -> tuple[str, str]:
    """Return a figure in the form that all ways to write it share, and the other way to read it."""
    digits = re.sub(r"[ \u00a0\u202f'\u2019]", "", text)
    separators = [character for character in digits if character in ".,"]
    if not separators:
        return _normal(digits), ""
    if len(set(separators)) > 1:
        decimal = separators[-1]
        if separators.count(decimal) > 1:
            return _normal(re.sub(r"[.,]", "", digits)), ""
        return _normal(digits.replace("." if decimal == "," else ",", "").replace(decimal, ".")), ""
    only = separators[0]
    if len(separators) > 1:
        return _normal(digits.replace(only, "")), ""
    return _either(digits, only, decimal_comma=decimal_comma)


def _either(digits: str, separator: str, *, decimal_comma: bool) -> tuple[str, str]:
    """Return both readings of a figure with one separator, the likelier one first."""
    whole, _, rest = digits.partition(separator)
    as_decimal, as_thousands = _normal(f"{whole}.{rest}"), _normal(f"{whole}{rest}")
    if len(rest) > _EXACT_DECIMALS:
        # Sums of floating-point numbers carry an error at the end.
        return as_decimal, _normal(f"{float(f'{whole}.{rest}'):.2f}")
    if len(rest) != _GROUP or len(whole) > _GROUP or whole.startswith("0"):
        return as_decimal, ""
    is_decimal = separator == ("," if decimal_comma else ".")
    return (as_decimal, as_thousands) if is_decimal else (as_thousands, as_decimal)


def _normal(number: str) -> str:
    bare = number.lstrip("0") or "0"
    bare = bare if not bare.startswith(".") else f"0{bare}"
    return bare.rstrip("0").rstrip(".") if "." in bare else bare


def leaves(value: object) -> Iterator[object]:
    """Yield the plain values in a JSON value."""
    return (each for _, each in json_values.leaves(value))


def as_text(value: object) -> str:
    """Return a plain value of JSON as text, a figure in its shortest form."""
    if isinstance(value, bool):
        return str(value).lower()
    return _normal(repr(value)) if isinstance(value, float) and value.is_integer() else str(value)

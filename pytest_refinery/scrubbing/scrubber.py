"""Takes out of texts and values what nobody may read in them. No file, no network.

What is found is replaced by one word, the same everywhere: a request that was made with another key still finds its
answer, and what has been scrubbed stays as it is when it is scrubbed again.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Any, cast

from pytest_refinery import timed_regex
from pytest_refinery.errors import CassetteError
from pytest_refinery.scrubbing import environment, secret_names, secret_shapes
from pytest_refinery.scrubbing.secret_names import REMOVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_refinery.scrubbing.environment import SecretValues
    from pytest_refinery.traces.model import Json, Trace

EMAIL, CARD, PHONE = "someone@example.com", "CARD-NUMBER", "PHONE-NUMBER"

_EMAIL = re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_CARD = re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d.-]?\d)")
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{2,4}(?:[ .-]?\d{2,4}){1,4}"
    r"|(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4})(?![\w-])"
)
# International numbers have at most 15 digits (E.164); shorter than 8 is hardly one.
_LEAST_DIGITS, _MOST_DIGITS = 8, 15

_MAY_GO_ON = re.compile(r"""[A-Za-z0-9_.:=+/"'\\-]{2}""")
_RUN_FIELDS = ("name", "inputs", "outputs", "error", "metadata", "settings", "template")
# Between texts that are looked at together: no secret has it.
_BETWEEN = "\n\0\n"
# Members that say which of several streams a piece belongs to.
_STREAMS = frozenset({"index", "output_index", "content_index", "summary_index"})
# What says something about a piece and is none.
_NO_PIECES = frozenset(
    "id type role name status object kind model start_time end_time created timestamp finish_reason stop_reason "
    "run_type run_id trace_id parent_run_id session_id dotted_order tool_call_id uuid event".split()
)
_PAIR = 2
# No secret that begins in one text ends so far in the next but one.
_LONGEST_END = 400


@dataclass(frozen=True)
class Scrubber:
    """Removes secrets, and what the user names.

    Attributes:
        patterns: Regular expressions of what is removed besides.
        callables: Each gets a text and returns it without what must not stay, or ``None`` to leave it as it is.
        personal: Whether e-mail addresses, card numbers and phone numbers are replaced.
        values: Secrets of the environment, which are removed wherever they stand.
    """

    patterns: tuple[str, ...] = ()
    callables: tuple[Callable[[str], str | None], ...] = field(default=(), repr=False)
    personal: bool = False
    values: SecretValues = environment.NONE

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        text = self._without_what_users_name(text)
        text = secret_shapes.removed(text, self.values.spans)
        return without_personal_data(text) if self.personal else text

    def json(self, value: Json) -> Json:
        """Return a JSON value without secrets, in its texts and under the names that secrets have.

        What does not change is the same object.
        """
        try:
            return _Pass(self, value).result()
        except RecursionError:
            # Nobody can look into it, and nobody can show it either.
            return REMOVED

    def trace(self, trace: Trace) -> Trace:
        """Return a trace without secrets; the same one where it has none."""
        # A mapping: pieces of different runs do not belong together.
        before = {
            str(place): {name: getattr(run, name) for name in _RUN_FIELDS} for place, run in enumerate(trace.runs)
        }
        after = cast("dict[str, dict[str, Any]]", self.json(cast("Json", before)))
        name = self.text(trace.name)
        if after is before and name == trace.name:
            return trace
        runs = tuple(run.model_copy(update=after[str(place)]) for place, run in enumerate(trace.runs))
        return trace.model_copy(update={"name": name, "runs": runs})

    def texts(self, texts: Sequence[str]) -> list[str]:
        """Return each of many texts without secrets: much faster than one after another."""
        plain = [self._without_what_users_name(text) for text in texts]
        joined = _BETWEEN.join(plain)
        found = deque(secret_shapes.merged([*secret_shapes.spans(joined), *self.values.spans(joined)]))
        at = 0
        for place, text in enumerate(plain):
            while found and found[0][1] <= at:
                found.popleft()
            if found and found[0][0] < at + len(text):
                plain[place] = secret_shapes.removed(text, self.values.spans)
            at += len(text) + len(_BETWEEN)
        return [*map(without_personal_data, plain)] if self.personal else plain

    def spans(self, text: str) -> list[secret_shapes.Span]:
        """Return where secrets stand in a text, but for what users name."""
        return secret_shapes.merged([*secret_shapes.spans(text), *self.values.spans(text)])

    def _without_what_users_name(self, text: str) -> str:
        for called in self.callables:
            text = _changed_by(called, text)
        for pattern in self.patterns:
            # What is removed stays removed, also where a pattern fits the word that stands for it.
            text = REMOVED.join(_replaced(pattern, piece) for piece in text.split(REMOVED))
        return text


_Place = tuple[Any, "str | int"]
"""A list or a dict, and where in it a text stands."""
_Group = dict[str, list[_Place]]


class _Pass:
    """One pass over a JSON value: all of its different texts are looked at together."""

    def __init__(self, scrubber: Scrubber, value: Json) -> None:
        self._value = value
        self._known: dict[int, Json] = {}
        texts, self._has_named = _texts(value)
        self._pieces = _split_secrets(value, scrubber)
        texts.update(dict.fromkeys(self._pieces.values()))
        self._texts = dict(zip(texts, scrubber.texts(list(texts)), strict=True))

    def result(self) -> Json:
        """Return the value without secrets; the same one where it has none."""
        is_clean = not self._has_named and not self._pieces and all(a == b for a, b in self._texts.items())
        return self._value if is_clean else self._of(self._value)

    def _of(self, value: Json) -> Json:
        if isinstance(value, str):
            return self._texts[value]
        if not isinstance(value, list | dict):
            return value
        if id(value) not in self._known:
            self._known[id(value)] = self._of_list(value) if isinstance(value, list) else self._of_dict(value)
        return self._known[id(value)]

    def _of_list(self, value: list[Json]) -> Json:
        found = [self._of(self._pieces.get((id(value), place), item)) for place, item in enumerate(value)]
        if _is_pair(value) and _is_named(value[0], value[1]):
            found[1] = REMOVED
        return found

    def _of_dict(self, value: dict[str, Json]) -> Json:
        found = {
            self._texts[name]: self._named(name, self._pieces.get((id(value), name), item))
            for name, item in value.items()
        }
        if "value" in value and _is_named(value.get("name", value.get("key")), value["value"]):
            found["value"] = REMOVED
        return found

    def _named(self, name: str, value: Json) -> Json:
        if isinstance(value, list) and secret_names.kind(name):
            return [self._named(name, item) for item in value]
        return REMOVED if _is_named(name, value) else self._of(value)


def _is_named(name: Json, value: Json) -> bool:
    """Tell whether a value is a secret by its name."""
    return (
        isinstance(name, str)
        and isinstance(value, str)
        and value not in {"", REMOVED}
        and secret_names.kind(name) > 0
        and secret_names.is_secret_field(name, value)
    )


def _is_pair(value: list[Json]) -> bool:
    return len(value) == _PAIR and isinstance(value[0], str) and isinstance(value[1], str)


def _texts(value: Json) -> tuple[dict[str, None], bool]:
    """Return the different texts in a value, names too, and whether one is a secret by its name."""
    texts: dict[str, None] = {}
    has_named = False
    seen: set[int] = set()
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, str):
            texts[item] = None
        elif isinstance(item, list | dict) and id(item) not in seen:
            seen.add(id(item))
            members = item if isinstance(item, list) else item.values()
            left += members
            if isinstance(item, dict):
                texts.update(dict.fromkeys(item))
            has_named = has_named or _has_named(item)
    return texts, has_named


def _has_named(item: list[Json] | dict[str, Json]) -> bool:
    if isinstance(item, list):
        return _is_pair(item) and _is_named(item[0], item[1])
    for name, member in item.items():
        if secret_names.kind(name) and (isinstance(member, list) or _is_named(name, member)):
            return True
    return "value" in item and _is_named(item.get("name", item.get("key")), item["value"])


def _split_secrets(value: Json, scrubber: Scrubber) -> dict[tuple[int, str | int], str]:
    """Return what stands in the place of texts over which a secret is spread, as in the answer of a stream."""
    spreads = _spreads(value)
    joined = _BETWEEN.join("".join(text for text, _, _ in spread) for spread in spreads)
    found: dict[tuple[int, str | int], str] = {}
    begins = list(
        accumulate((sum(len(text) for text, _, _ in spread) + len(_BETWEEN) for spread in spreads), initial=0)
    )
    # From the end, so that the places of what is left stay right.
    for begin, end in reversed(scrubber.spans(joined) if spreads else []):
        which = bisect_right(begins, begin) - 1
        _take_out(spreads[which], begin - begins[which], end - begins[which], found)
    return found


_Spread = list[tuple[str, "_Place | None", int]]
"""Texts that follow one another, each with its place and where in the text of that place it begins."""


def _take_out(spread: _Spread, begin: int, end: int, found: dict[tuple[int, str | int], str]) -> None:
    at = 0
    touched: list[tuple[_Place, int, int]] = []
    for text, place, offset in spread:
        if place is not None and at < end and begin < at + len(text):
            touched.append((place, max(begin - at, 0) + offset, min(end - at, len(text)) + offset))
        at += len(text)
    if len({(id(parent), key) for (parent, key), _, _ in touched}) < _PAIR:
        return
    for number, ((parent, key), first, last) in reversed(list(enumerate(touched))):
        whole = found.get((id(parent), key), parent[key])
        found[id(parent), key] = whole[:first] + (REMOVED if number == 0 else "") + whole[last:]


def _spreads(value: Json) -> list[_Spread]:
    """Return the runs of texts in lists over which one secret may be spread, each once."""
    runs: dict[tuple[str, ...], _Spread] = {}
    for places in chain.from_iterable(group.values() for group in _groups(value)):
        run: _Spread = []
        for (parent, key), (other, following) in pairwise(places):
            one, two = parent[key], other[following]
            if _MAY_GO_ON.match(one[-1:] + two[:1]):
                run += [*([] if run else _ends((parent, key))), *_ends((other, following))]
            elif run:
                runs.setdefault(tuple(text for text, _, _ in run), run)
                run = []
        if run:
            runs.setdefault(tuple(text for text, _, _ in run), run)
    return list(runs.values())


def _ends(place: _Place) -> _Spread:
    """Return the text of a place; of a long one its beginning and its end."""
    parent, key = place
    text = parent[key]
    if len(text) <= 2 * _LONGEST_END:
        return [(text, place, 0)]
    return [(text[:_LONGEST_END], place, 0), ("\0", None, 0), (text[-_LONGEST_END:], place, len(text) - _LONGEST_END)]


def _groups(value: Json) -> Iterator[_Group]:
    """Yield for each list that is in no other the texts in it, in order, by the names that lead to them."""
    seen: set[int] = set()
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, list):
            if id(item) not in seen and len(item) > 1:
                seen.add(id(item))
                group: _Group = {}
                _group(item, "", group)
                yield group
            else:
                left += item
        elif isinstance(item, dict):
            left += item.values()


def _group(value: Any, where: str, group: _Group) -> None:  # noqa: ANN401  (a list or a dict)
    is_list = isinstance(value, list)
    if not is_list and not _STREAMS.isdisjoint(value):
        where += "".join(f"#{value[name]}" for name in sorted(_STREAMS) if isinstance(value.get(name), int))
    for key, item in enumerate(value) if is_list else value.items():
        if isinstance(item, str):
            if item and key not in _NO_PIECES:
                group.setdefault(where if is_list else f"{where}.{key}", []).append((value, key))
        elif isinstance(item, list | dict):
            _group(item, where if is_list else f"{where}.{key}", group)


def _replaced(pattern: str, text: str) -> str:
    try:
        return timed_regex.replace(pattern, REMOVED, text)
    except timed_regex.PatternTimeoutError as error:
        msg = f"Of refinery_scrub, {error}."
        raise CassetteError(msg) from None


def _changed_by(called: Callable[[str], str | None], text: str) -> str:
    try:
        found = called(text)
    except Exception as error:  # noqa: BLE001  (a user's function)
        # Without the cause: its message may hold the text.
        msg = f"A hook pytest_refinery_scrub failed with {type(error).__name__}: nothing can be recorded or replayed."
        raise CassetteError(msg) from None
    return text if found is None else found


def without_personal_data(text: str) -> str:
    """Replace e-mail addresses, card numbers and phone numbers, each kind by a word of its own."""
    text = _EMAIL.sub(EMAIL, text)
    text = _CARD.sub(lambda found: CARD if _is_card(found[0]) else found[0], text)
    return _PHONE.sub(lambda found: PHONE if _is_phone(found[0]) else found[0], text)


def _is_card(text: str) -> bool:
    """Apply the Luhn check (ISO/IEC 7812-1)."""
    digits = [int(character) for character in text if character.isdigit()]
    doubled = [2 * digit for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(digit // 10 + digit % 10 for digit in doubled)) % 10 == 0


def _is_phone(text: str) -> bool:
    return _LEAST_DIGITS <= sum(character.isdigit() for character in text) <= _MOST_DIGITS

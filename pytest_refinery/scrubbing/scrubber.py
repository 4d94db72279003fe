"""Takes out of texts and values what no one may read in them. No file, no network.

What is found is replaced by one word, the same everywhere: a request that was made with another key still finds its
answer, and what has been scrubbed stays as it is when it is scrubbed again.
"""

from __future__ import annotations

import re
import string
from bisect import bisect_right
from collections import defaultdict, deque
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

# Longer than most words, and than their beginning in any key.
_LONGEST_WORD = 24
# What may stand before a secret that is a word; nothing, where the text begins with it.
_ASSIGNS = frozenset({"", *":=>\"'`"})
# Between two pieces of a secret stand two of these.
_MAY_GO_ON = frozenset(string.ascii_letters + string.digits + "_.:=+/\"'\\-")
_RUN_FIELDS = ("name", "inputs", "outputs", "error", "metadata", "settings", "template")
# Between texts that are looked at together: no secret has it.
_BETWEEN = "\n\0\n"
# Members that say which of several streams a piece belongs to.
_STREAMS = frozenset({"index", "output_index", "content_index", "summary_index"})
_PLAIN = frozenset({int, float, bool, type(None)})
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
    _last: list[tuple[Trace, Trace]] = field(default_factory=list, init=False, repr=False, compare=False)

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
            # No one can look into it, and no one can show it either.
            return REMOVED

    def trace(self, trace: Trace) -> Trace:
        """Return a trace without secrets; the same one where it has none.

        The last one is kept: expectations about one trace stand together.
        """
        # Once, into a name: another thread may replace it at any time.
        last = self._last[:]
        if not last or last[0][0] is not trace:
            self._last[:] = last = [(trace, self._scrubbed(trace))]
        return last[0][1]

    def _scrubbed(self, trace: Trace) -> Trace:
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
        names = self.callables or self.patterns
        plain = [self._without_what_users_name(text) for text in texts] if names else list(texts)
        found = deque(self.spans(_BETWEEN.join(plain)))
        at = 0
        for place, text in enumerate(plain if found else ()):
            while found and found[0][1] <= at:
                found.popleft()
            if found and found[0][0] < at + len(text):
                plain[place] = secret_shapes.removed(text, self.values.spans)
            at += len(text) + len(_BETWEEN)
        return [*map(without_personal_data, plain)] if self.personal else plain

    def spans(self, text: str) -> list[secret_shapes.Span]:
        """Return where secrets stand in a text, but for what users name."""
        return secret_shapes.spans(text, self.values.spans)

    def _without_what_users_name(self, text: str) -> str:
        for called in self.callables:
            text = _changed_by(called, text)
        for pattern in self.patterns:
            # What is removed stays removed, also where a pattern fits the word that stands for it.
            text = REMOVED.join(_replaced(pattern, piece) for piece in text.split(REMOVED))
        return text


_Piece = tuple[str, Any, "str | int", int]
"""A text or an end of it, the list or dict in which it stands (``None`` for nowhere), where there, and its offset."""
_Spread = list[_Piece]
"""Texts that follow one another."""


class _Pass:
    """One pass over a JSON value: all of its different texts are looked at together."""

    def __init__(self, scrubber: Scrubber, value: Json) -> None:
        self._value = value
        self._known: dict[int, Json] = {}
        walk = _Walk(value)
        self._pieces = _split_secrets(walk.spreads(), scrubber)
        texts = [*walk.texts, *self._pieces.values()]
        scrubbed = scrubber.texts(texts)
        self._is_clean = not self._pieces and not walk.has_named and scrubbed == texts
        self._texts = {} if self._is_clean else dict(zip(texts, scrubbed, strict=True))

    def result(self) -> Json:
        """Return the value without secrets; the same one where it has none."""
        return self._value if self._is_clean else self._of(self._value)

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


class _Shortest(dict[str, int]):
    """How many characters a secret has under a name at least, for each name that was asked for."""

    def __missing__(self, name: str) -> int:
        self[name] = found = secret_names.shortest(name)
        return found


class _Group:
    """Texts in a list that may be pieces of one, in order: those to which the same names lead, and of one stream."""

    def __init__(self) -> None:
        self.pieces: defaultdict[str | None, _Spread] = defaultdict(list)
        self._inner: dict[object, _Group] = {}

    def inner(self, name: object) -> _Group:
        """Return the group behind a name; texts of lists in a list belong to that one."""
        if name is None:
            return self
        if name not in self._inner:
            self._inner[name] = _Group()
        return self._inner[name]

    def of(self, value: dict[str, Json]) -> _Group:
        """Return the group of the stream that a dict says that it belongs to."""
        if _STREAMS.isdisjoint(value):
            return self
        return self.inner(tuple(value[name] for name in sorted(_STREAMS & value.keys()) if type(value[name]) is int))

    def lines(self) -> Iterator[_Spread]:
        """Yield each line of pieces."""
        yield from self.pieces.values()
        for group in self._inner.values():
            yield from group.lines()


_NO_LINES: defaultdict[str | None, _Spread] = defaultdict(list)


class _Walk:
    """Looks once at each member of a value. By type, not isinstance: it looks at every value of every trace.

    Attributes:
        texts: The different texts, names too.
        has_named: Whether one is a secret by its name.
    """

    def __init__(self, value: Json) -> None:
        self.texts: dict[str, object] = {}
        self.has_named = False
        self._shortest = _Shortest()
        self._groups: list[_Group] = []
        self._member("", value, None)

    def _member(self, name: object, item: object, group: _Group | None) -> None:
        if isinstance(item, dict):
            self._dict(item, group and group.inner(name))
        elif isinstance(item, list):
            self._list(item, group and group.inner(name))
        elif isinstance(item, str):
            self.texts[item] = None

    def _list(self, value: list[Json], group: _Group | None) -> None:
        if group is None and len(value) > 1:
            # Texts of lists in a list belong to the outermost one.
            group = _Group()
            self._groups.append(group)
        if _is_pair(value) and _is_named(value[0], value[1]):
            self.has_named = True
        texts = self.texts
        pieces = group.pieces[None] if group is not None else []
        for place, item in enumerate(value):
            if type(item) is dict:
                self._dict(item, group)
            elif type(item) is str:
                texts[item] = None
                if item:
                    pieces.append((item, value, place, 0))
            elif type(item) not in _PLAIN:
                self._member(None, item, group)

    def _dict(self, value: dict[str, Json], group: _Group | None) -> None:
        texts, shortest = self.texts, self._shortest
        texts.update(value)
        group = group and group.of(value)
        pieces = group.pieces if group is not None else _NO_LINES
        if "value" in value and _is_named(value.get("name", value.get("key")), value["value"]):
            self.has_named = True
        for name, item in value.items():
            if type(item) is str:
                texts[item] = None
                if len(item) >= shortest[name] and _is_named(name, item):
                    self.has_named = True
                if pieces is not _NO_LINES and item and name not in _NO_PIECES:
                    pieces[name].append((item, value, name, 0))
            elif type(item) not in _PLAIN:
                self.has_named = self.has_named or (isinstance(item, list) and secret_names.kind(name) > 0)
                self._member(name, item, group)

    def spreads(self) -> list[_Spread]:
        """Return the runs of texts in lists over which one secret may be spread, each once."""
        runs: dict[tuple[str, ...], _Spread] = {}
        for pieces in chain.from_iterable(group.lines() for group in self._groups):
            run: _Spread = []
            for one, two in pairwise(pieces):
                if _may_go_on(one[0], two[0]):
                    run += [*([] if run else _ends(one)), *_ends(two)]
                elif run:
                    runs.setdefault(tuple(piece[0] for piece in run), run)
                    run = []
            if run:
                runs.setdefault(tuple(piece[0] for piece in run), run)
        return list(runs.values())


def _may_go_on(one: str, two: str) -> bool:
    if one[-1] not in _MAY_GO_ON or two[0] not in _MAY_GO_ON:
        return False
    return len(one) <= _LONGEST_WORD or not _is_between_words(one, two)


def _is_between_words(one: str, two: str) -> bool:
    """Tell whether one text ends with a word, or a sentence, that no sign assigns, and the next begins with a word."""
    before, _, last = one[-_LONGEST_WORD:].rpartition(" ")
    if before[-1:] in _ASSIGNS:
        return False
    last, first = last.rstrip(".,"), two[:_LONGEST_WORD].partition(" ")[0]
    are_words = last.isalpha() and first.isalpha()
    return are_words and (last.islower() or last.istitle()) and (first.islower() or first.istitle())


def _split_secrets(spreads: list[_Spread], scrubber: Scrubber) -> dict[tuple[int, str | int], str]:
    """Return what stands in the place of texts over which a secret is spread, as in the answer of a stream."""
    whole = ["".join(piece[0] for piece in spread) for spread in spreads]
    begins = list(accumulate((len(text) + len(_BETWEEN) for text in whole), initial=0))
    found: dict[tuple[int, str | int], str] = {}
    # From the end, so that the places of what is left stay right.
    for begin, end in reversed(scrubber.spans(_BETWEEN.join(whole)) if spreads else []):
        which = bisect_right(begins, begin) - 1
        _take_out(spreads[which], begin - begins[which], end - begins[which], found)
    return found


def _take_out(spread: _Spread, begin: int, end: int, found: dict[tuple[int, str | int], str]) -> None:
    at = 0
    touched: list[_Piece] = []
    for text, parent, key, offset in spread:
        if parent is not None and at < end and begin < at + len(text):
            first, last = max(begin - at, 0), min(end - at, len(text))
            touched.append((text[first:last], parent, key, first + offset))
        at += len(text)
    if len({(id(parent), key) for _, parent, key, _ in touched}) < _PAIR:
        return
    for number, (text, parent, key, first) in reversed(list(enumerate(touched))):
        whole = found.get((id(parent), key), parent[key])
        found[id(parent), key] = whole[:first] + (REMOVED if number == 0 else "") + whole[first + len(text) :]


def _ends(piece: _Piece) -> _Spread:
    """Return a text; of a long one its beginning and its end."""
    text, parent, key, _ = piece
    if len(text) <= 2 * _LONGEST_END:
        return [piece]
    end = text[-_LONGEST_END:], parent, key, len(text) - _LONGEST_END
    return [(text[:_LONGEST_END], parent, key, 0), ("\0", None, 0, 0), end]


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

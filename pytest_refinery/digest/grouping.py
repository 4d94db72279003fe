"""Cuts a digest into groups that fit one call each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from pytest_refinery.digest import tokens
from pytest_refinery.digest.lines import indented

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_refinery.digest.render import Digest, Entry

# A limit that leaves less room than this for the runs themselves is exceeded.
_LEAST_ROOM = 200
_PREVIEW_SHARE = 0.1
_MOST_FOR_PREVIEWS = 1000
_FOR_TITLES = 40


@dataclass(frozen=True, slots=True)
class RunText:
    """The text of a run, or of a part of it, as it stands in a group."""

    run_id: str
    text: str


@dataclass(frozen=True)
class Group:
    """Consecutive runs of a digest that fit one call.

    Attributes:
        name: ``g01``.
        filename: ``g01_trace_runs_001-006.md``.
        run_ids: The runs in it, in order; a run too large for one group is in several.
        text: Starts with ``GROUP: g01``.
        tokens: The estimate for ``text``.
        pieces: The texts of its runs, in order; together they are the end of ``text``.
    """

    name: str
    filename: str
    run_ids: tuple[str, ...]
    text: str
    tokens: int
    pieces: tuple[RunText, ...] = ()


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run, or the part of one that fits a group."""

    entry: Entry
    text: str
    tokens: int


_Batch = list[_Piece]


def group(
    digest: Digest,
    *,
    group_tokens: int | None = None,
    group_size_runs: int | None = None,
    disable_chunking: bool = False,
) -> tuple[Group, ...]:
    """Return the groups of ``digest`` in order; one where it all fits ``group_tokens``.

    Args:
        digest: What is to be cut, at its runs.
        group_tokens: The most tokens of a group's whole text. A run larger than that is split;
            a limit below the header and a few lines is exceeded by them.
        group_size_runs: So many runs in a group instead, fewer where ``group_tokens`` is given
            too and they do not fit. A rest of less than a fifth of that joins the last group.
        disable_chunking: One group whatever the size.
    """
    if disable_chunking or _is_one_group(digest, group_tokens, group_size_runs):
        return (_only_group(digest),)
    for_previews = _tokens_for_previews(group_tokens)
    room = None if group_tokens is None else _room(digest, group_tokens, for_previews)
    batches = list(_batches(digest.entries, room=room, most_runs=group_size_runs))
    return tuple(_Writer(digest, batches, for_previews).groups())


def _is_one_group(digest: Digest, group_tokens: int | None, group_size_runs: int | None) -> bool:
    is_short = group_size_runs is None or _is_rest(len(digest.entries) - group_size_runs, group_size_runs)
    return is_short and (group_tokens is None or digest.tokens + _FOR_TITLES <= group_tokens)


def _only_group(digest: Digest) -> Group:
    name = _name(0)
    batch = [_Piece(entry, entry.text, entry.tokens) for entry in digest.entries]
    return _made(name, batch, digest, "\n".join([f"GROUP: {name}", digest.text]))


def _made(name: str, batch: Sequence[_Piece], digest: Digest, text: str) -> Group:
    entries = [piece.entry for piece in batch]
    return Group(
        name=name,
        filename=_filename(name, entries, digest),
        run_ids=tuple(dict.fromkeys(entry.run_id for entry in entries)),
        text=text,
        tokens=tokens.estimate(text),
        pieces=tuple(RunText(piece.entry.run_id, piece.text) for piece in batch),
    )


def _name(index: int) -> str:
    return f"g{index + 1:02d}"


def _filename(name: str, entries: Sequence[Entry], digest: Digest) -> str:
    width = max(3, len(str(len(digest.entries))))
    first, last = (entries[0].number, entries[-1].number) if entries else (0, 0)
    return f"{name}_trace_runs_{first:0{width}d}-{last:0{width}d}.md"


def _tokens_for_previews(group_tokens: int | None) -> int:
    return _MOST_FOR_PREVIEWS if group_tokens is None else min(_MOST_FOR_PREVIEWS, int(group_tokens * _PREVIEW_SHARE))


def _room(digest: Digest, group_tokens: int, for_previews: int) -> int:
    return max(_LEAST_ROOM, group_tokens - tokens.estimate(digest.header) - for_previews - _FOR_TITLES)


def _is_rest(runs: int, group_size_runs: int) -> bool:
    """Tell whether so few runs are left that they are not worth a group, and a call, of their own."""
    return runs * 5 < group_size_runs


def _batches(entries: Sequence[Entry], *, room: int | None, most_runs: int | None) -> Iterator[_Batch]:
    batch: _Batch = []
    used = runs = 0
    for piece in chain.from_iterable(_pieces(entry, room) for entry in entries):
        is_new_run = not batch or batch[-1].entry is not piece.entry
        is_full = room is not None and used + piece.tokens + 1 > room
        left = len(entries) - piece.entry.number + 1
        is_enough = most_runs is not None and is_new_run and runs >= most_runs and not _is_rest(left, most_runs)
        if batch and (is_full or is_enough):
            yield batch
            batch, used, runs, is_new_run = [], 0, 0, True
        batch.append(piece)
        used += piece.tokens + 1
        runs += is_new_run
    yield batch


def _pieces(entry: Entry, room: int | None) -> list[_Piece]:
    if room is None or entry.tokens < room:
        return [_Piece(entry, entry.text, entry.tokens)]
    parts = list(tokens.cut(entry.text, most=room - _FOR_TITLES))
    return [_part(entry, parts, index) for index in range(len(parts))]


def _part(entry: Entry, parts: Sequence[str], index: int) -> _Piece:
    text = parts[index].removesuffix("\n")
    if index and not parts[index - 1].endswith("\n"):
        text = indented(text)
    if index:
        text = f"#{entry.number} (part {index + 1} of {len(parts)})\n{text}"
    return _Piece(entry, text, tokens.estimate(text))


class _Writer:
    """Writes batches out as groups that say what they refer to in others."""

    def __init__(self, digest: Digest, batches: Sequence[_Batch], for_previews: int) -> None:
        self._digest = digest
        self._batches = batches
        self._for_previews = for_previews
        self._homes = dict(_homes(batches))

    def groups(self) -> Iterator[Group]:
        for index, batch in enumerate(self._batches):
            name = _name(index)
            entries = [piece.entry for piece in batch]
            runs = f"runs #{entries[0].number} to #{entries[-1].number}"
            title = f"GROUP: {name}\nPart {index + 1} of {len(self._batches)} of a trace: {runs}."
            elsewhere = self._written_elsewhere(name, entries)
            text = "\n".join([title, self._digest.header, *elsewhere, *(piece.text for piece in batch)])
            yield _made(name, batch, self._digest, text)

    def _written_elsewhere(self, name: str, entries: Sequence[Entry]) -> list[str]:
        """Return a line for each item that these runs refer to, as many as there are tokens for."""
        mentioned = set(chain.from_iterable(chain.from_iterable(entry.refers for entry in entries)))
        wanted = [number for number in mentioned if self._homes[number] != name]
        previewed: dict[int, str] = {}
        left = self._for_previews
        for number in sorted(wanted, key=self._rank):
            line = f"m{number} (in {self._homes[number]}) {self._digest.previews[number - 1]}…"
            left -= tokens.estimate(line) + 1
            if left < 0:
                break
            previewed[number] = line
        title = f"Written in other groups; here are the first words of {len(previewed)} of {len(wanted)}:"
        return [title, *(previewed[number] for number in sorted(previewed))] if wanted else []

    def _rank(self, number: int) -> tuple[bool, int]:
        """System prompts come first, then what is newest."""
        return not self._digest.previews[number - 1].startswith("system"), -number


def _homes(batches: Sequence[_Batch]) -> Iterator[tuple[int, str]]:
    """Yield each item's number and the group that it is written in, the first where there are several."""
    for index in reversed(range(len(batches))):
        for piece in batches[index]:
            yield from ((number, _name(index)) for number in piece.entry.shows)

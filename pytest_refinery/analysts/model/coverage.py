"""Which runs of a group the model was really given, by the passages that the file search returned. Pure text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_refinery.digest.grouping import Group


def unread_runs(group: Group, passages: Iterable[str]) -> tuple[str, ...]:
    """Return the ids of the runs of which something is missing in ``passages``, in order.

    White space is not compared: services cut and join at it.
    """
    text = _without_space(group.text)
    covered = bytearray(len(text))
    for passage in map(_without_space, passages):
        start = text.find(passage) if passage else -1
        if start >= 0:
            covered[start : start + len(passage)] = b"\1" * len(passage)
    return tuple(dict.fromkeys(run_id for run_id, start, end in _places(group, text) if 0 in covered[start:end]))


def _places(group: Group, text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each piece's run and its place in ``text``; the pieces stand at the end of it, one after the other."""
    lengths = [len(_without_space(piece.text)) for piece in group.pieces]
    start = len(text) - sum(lengths)
    for piece, length in zip(group.pieces, lengths, strict=True):
        yield piece.run_id, start, start + length
        start += length


def _without_space(text: str) -> str:
    return "".join(text.split())

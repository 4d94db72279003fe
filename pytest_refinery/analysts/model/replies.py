"""What comes back from a model, whatever it was asked over, and which runs of a group it was shown. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_refinery.traces import messages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_refinery.digest.grouping import Group
    from pytest_refinery.traces.model import ToolCall


@dataclass(frozen=True)
class Answered:
    """An answer: the JSON as the service sent it, and the headers (names in lower case).

    Attributes:
        seconds: From when the request was sent until the answer was there; ``None`` where that is not known.
    """

    body: dict[str, Any]
    headers: Mapping[str, str]
    seconds: float | None = None


@dataclass(frozen=True)
class Retrieved:
    """A passage that the file search gave to the model.

    Attributes:
        attributes: Those of the file, where the service shows them.
    """

    filename: str
    text: str
    attributes: Mapping[str, Any]

    def is_of(self, group_name: str) -> bool:
        """Tell whether it is from the file of a group: its attributes say so, without them its name."""
        if "group" in self.attributes:
            return bool(self.attributes["group"] == group_name)
        return self.filename.startswith(f"{group_name}_")


@dataclass(frozen=True)
class Usage:
    """The tokens of one answer, as the service or we count them.

    Attributes:
        thinking_tokens: Those of the output that the model thought with.
    """

    input_tokens: int
    output_tokens: int
    thinking_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class Reply:
    """An answer that came.

    Attributes:
        text: What the model wrote, ``""`` where it wrote nothing.
        refusal: What the model said instead of answering.
        cut_off_by: Why the answer ended before its end: ``max_output_tokens``, ``content_filter``.
        usage: ``None`` where the service does not say it.
        calls: The tools that the model called.
        fills_its_room: Whether it is as long as it may be: then it may be cut off where no one says so.
    """

    text: str
    refusal: str = ""
    cut_off_by: str = ""
    passages: tuple[Retrieved, ...] = ()
    usage: Usage | None = None
    calls: tuple[ToolCall, ...] = ()
    fills_its_room: bool = False


def called(answer: object) -> tuple[ToolCall, ...]:
    """Return the tools that an answer calls, in either protocol."""
    return tuple(call for message in messages.read(answer).messages for call in message.tool_calls)


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

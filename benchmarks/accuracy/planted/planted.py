"""What a planted error is: the changed conversation, and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from benchmarks.accuracy.planted.talks import Message, Talk


@dataclass(frozen=True)
class Planted:
    """A conversation with one error, and the expectation that it fails.

    Attributes:
        kind: The kind of error.
        step: The message that is wrong, ``None`` where the expectation is.
        expect: The expert's sentence.
        checks: The expert's checks, as they stand in a file.
        cause: The root cause, known by construction.
    """

    kind: str
    messages: tuple[Message, ...]
    step: int | None
    expect: str
    checks: tuple[dict[str, Any], ...]
    cause: str


def anywhere(**demand: str) -> dict[str, Any]:
    """Return a check of all that the agent says."""
    return {"output": {"in": "any", **demand}}


Plant: TypeAlias = "Callable[[Talk, Random], Iterator[Planted]]"
"""Yields every way in which a kind of error can be planted in a conversation."""

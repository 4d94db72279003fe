"""What requests will cost, learned for each kind from what they did cost, by all processes that use the account."""

from __future__ import annotations

import json
import math
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from pytest_refinery import shared_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# How many answers of a kind are remembered, and from how many on they alone decide.
_REMEMBERED = 100
_ENOUGH = 10
# From how many on the answers of all kinds speak for one that is not known yet: the same model, the same counts.
_ENOUGH_OF_OTHERS = 5
# Before that: our counts are at most this wrong, and an answer takes this share of what it may.
_UNKNOWN_RATIO = 1.15
_UNKNOWN_SHARE = 0.5
# How far above the highest one goes, in spreads of those known: of evenly spread values, one in 20 times as many as are
# known exceeds it.
_BEYOND = 3.0
# A refusal that counts at least this share of the permitted output shows that the service reserves it.
_RESERVED_SHARE = 0.9


class _Answer(NamedTuple):
    """The input by the service's count to that by ours, the output, and that to what was permitted."""

    ratio: float
    output: float
    share: float


class Estimates:
    """Reserves a little more than the dearest of the last answers would have cost: too much is given back at once.

    Args:
        path: The file in which all processes of this machine keep what they learn; ``None`` to learn alone. Of two that
            learn at the same instant one may be forgotten: each answer only adds to what is known.
        reserves_output: Whether the service counts the whole of ``max_output_tokens`` when a request
            arrives; ``None`` to learn it from its refusals.
    """

    def __init__(self, path: Path | None = None, *, reserves_output: bool | None = None) -> None:
        self._path = path
        self._reserves_output = reserves_output
        self._answers: dict[str, list[_Answer]] = {}
        self._version: object = None
        self._lock = threading.Lock()

    def expected(self, kind: str, *, input_tokens: int, max_output_tokens: int) -> int:
        """Return the tokens to reserve for a request of this kind, by our own count of its input."""
        with self._lock:
            self._read()
            known = self._answers.get(kind, [])
            others = [answer for answers in self._answers.values() for answer in answers]
            reserves_output = self._reserves_output
        usual_ratio = _of_others([answer.ratio for answer in others], unknown=_UNKNOWN_RATIO)
        usual_share = _of_others([answer.share for answer in others], unknown=_UNKNOWN_SHARE)
        ratio = _highest([answer.ratio for answer in known], unknown=usual_ratio)
        output = _highest([answer.output for answer in known], unknown=max_output_tokens * usual_share)
        most = max_output_tokens if reserves_output else min(math.ceil(output), max_output_tokens)
        return math.ceil(input_tokens * ratio) + most

    def learn(self, kind: str, *, counted: int, input_tokens: int, output_tokens: int, max_output_tokens: int) -> None:
        """Take note of an answer: what we had ``counted`` as its input, and what the service did."""
        if counted <= 0:
            return
        answer = _Answer(input_tokens / counted, output_tokens, output_tokens / max(1, max_output_tokens))
        with self._lock:
            self._read()
            self._answers[kind] = [*self._answers.get(kind, []), answer][-_REMEMBERED:]
            self._write()

    def learn_refusal(self, *, counted: int, max_output_tokens: int, requested: int) -> None:
        """Take note of what a refusal says was requested."""
        with self._lock:
            self._read()
            if self._reserves_output is None and requested >= counted + _RESERVED_SHARE * max_output_tokens:
                self._reserves_output = True
                self._write()

    def _read(self) -> None:
        """Take over what the file says, where another process has written it."""
        if self._path is None or (version := _version_of(self._path)) in {None, self._version}:
            return
        self._version = version
        # A file of somebody else teaches nothing.
        with suppress(TypeError, KeyError, ValueError, AttributeError):
            written = shared_file.read_json(self._path)
            self._answers = {
                str(kind): [_Answer(float(ratio), float(output), float(share)) for ratio, output, share in answers]
                for kind, answers in written["answers"].items()
            }
            if self._reserves_output is None and written["reserves_output"] is True:
                self._reserves_output = True

    def _write(self) -> None:
        if self._path is None:
            return
        text = json.dumps({"answers": self._answers, "reserves_output": self._reserves_output})
        with suppress(OSError):
            shared_file.private_folder(self._path.parent)
            shared_file.replace(self._path, text)
            self._version = _version_of(self._path)


def _version_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _of_others(seen: Sequence[float], *, unknown: float) -> float:
    return _highest(seen) if len(seen) >= _ENOUGH_OF_OTHERS else unknown


def _highest(seen: Sequence[float], *, unknown: float = 0.0) -> float:
    """Return what the next one will hardly exceed: the fewer are known, the more above the highest of them."""
    if not seen:
        return unknown
    known = max(seen) + (max(seen) - min(seen)) * _BEYOND / len(seen)
    return known if len(seen) >= _ENOUGH else max(known, unknown)

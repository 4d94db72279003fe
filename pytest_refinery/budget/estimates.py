"""What requests will cost, learned for each kind from what they did cost."""

from __future__ import annotations

import math
import threading
from collections import defaultdict, deque

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


class Estimates:
    """Reserves a little more than the dearest of the last answers would have cost: too much is given back at once.

    Args:
        reserves_output: Whether the service counts the whole of ``max_output_tokens`` when a request
            arrives; ``None`` to learn it from its refusals.
    """

    def __init__(self, *, reserves_output: bool | None = None) -> None:
        self._reserves_output = reserves_output
        self._ratios: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))
        self._outputs: defaultdict[str, deque[int]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))
        self._all_ratios: deque[float] = deque(maxlen=_REMEMBERED)
        self._all_shares: deque[float] = deque(maxlen=_REMEMBERED)
        self._lock = threading.Lock()

    def expected(self, kind: str, *, input_tokens: int, max_output_tokens: int) -> int:
        """Return the tokens to reserve for a request of this kind, by our own count of its input."""
        with self._lock:
            usual_ratio = _of_others(self._all_ratios, unknown=_UNKNOWN_RATIO)
            usual_share = _of_others(self._all_shares, unknown=_UNKNOWN_SHARE)
            ratio = _highest(self._ratios[kind], unknown=usual_ratio)
            output = _highest(self._outputs[kind], unknown=max_output_tokens * usual_share)
        if self._reserves_output:
            output = max_output_tokens
        return math.ceil(input_tokens * ratio) + min(math.ceil(output), max_output_tokens)

    def learn(self, kind: str, *, counted: int, input_tokens: int, output_tokens: int, max_output_tokens: int) -> None:
        """Take note of an answer: what we had ``counted`` as its input, and what the service did."""
        with self._lock:
            if counted > 0:
                self._ratios[kind].append(input_tokens / counted)
                self._all_ratios.append(input_tokens / counted)
            if max_output_tokens > 0:
                self._all_shares.append(output_tokens / max_output_tokens)
            self._outputs[kind].append(output_tokens)

    def learn_refusal(self, *, counted: int, max_output_tokens: int, requested: int) -> None:
        """Take note of what a refusal says was requested."""
        if self._reserves_output is None and requested >= counted + _RESERVED_SHARE * max_output_tokens:
            self._reserves_output = True


def _of_others(seen: deque[float], *, unknown: float) -> float:
    return _highest(seen) if len(seen) >= _ENOUGH_OF_OTHERS else unknown


def _highest(seen: deque[float] | deque[int], *, unknown: float = 0.0) -> float:
    """Return what the next one will hardly exceed: the fewer are known, the more above the highest of them."""
    if not seen:
        return unknown
    known = max(seen) + (max(seen) - min(seen)) * _BEYOND / len(seen)
    return known if len(seen) >= _ENOUGH else max(known, unknown)

"""How large the groups of a trace are, so that many diagnoses under one limit take the least time. Pure arithmetic.

A sliding minute lets ``limit`` tokens through, and what is left of it when the next request does not fit is lost. That
rest is anything between nothing and one request, so half a request on average: ``limit - s / 2`` tokens of each minute
are used by requests of ``s`` tokens. A digest of ``D`` tokens in ``n`` groups costs ``D + n * o`` where each request
carries ``o`` beside its group, and ``s = D / n + o``. It takes ``(D + n * o) / (limit - s / 2)`` minutes; the ``n``
for which that is least is taken. A bucket refills all the time and loses nothing, so there fewer groups are better.
"""

from __future__ import annotations

from math import ceil

# A group that leaves the model room to attend to all of it, where the limit is no tighter.
_LARGEST_GROUP = 20_000
_SMALLEST_GROUP = 1_000
# Our count of a text may be too low by a tenth, and a request may carry this much beside its group at most.
_COUNTED_SURELY = 0.9
_MOST_OVERHEAD = 4_500
# Groups are cut between runs: one that must end before its size would make one group more.
_SLACK = 1.1
_MORE_GROUPS = 8


def largest_group(limit: int) -> int:
    """Return the most tokens of a group that one request under ``limit`` can carry."""
    room = int(_COUNTED_SURELY * (limit - _MOST_OVERHEAD))
    return max(_SMALLEST_GROUP, min(_LARGEST_GROUP, room))


def group_tokens(
    *, limit: int, overhead: int, digest_tokens: int, refills: bool, overhead_if_cut: int | None = None
) -> int:
    """Return the most tokens of a group.

    Args:
        limit: Tokens per minute.
        overhead: What a request costs beside its group: question, schema, answer.
        digest_tokens: The size of the whole trace.
        refills: Whether the limit is a bucket that is refilled all the time.
        overhead_if_cut: The same where there are several groups, if it is another then.
    """
    largest = largest_group(limit)
    fewest = max(1, ceil(digest_tokens / largest))
    if refills:
        return largest

    def minutes(groups: int) -> float:
        beside = overhead if groups == 1 else overhead_if_cut or overhead
        request = digest_tokens / groups + beside
        return (digest_tokens + groups * beside) / max(1.0, limit - request / 2)

    groups = min(range(fewest, fewest + _MORE_GROUPS), key=minutes)
    return largest if groups == 1 else max(_SMALLEST_GROUP, min(largest, ceil(_SLACK * digest_tokens / groups)))

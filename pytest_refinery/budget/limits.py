"""What is allowed in a minute, and what a service has told about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ASSUMED_TOKENS = 30_000


class Model(StrEnum):
    """How a service counts.

    ``TRUSTED_BUCKET`` is a bucket until the service refuses what a bucket would have let through; then,
    for a while, a sliding minute.
    """

    SLIDING = "sliding"
    BUCKET = "bucket"
    TRUSTED_BUCKET = "trusted bucket"


@dataclass(frozen=True)
class Limits:
    """What one process was told to keep to.

    Attributes:
        tokens: Tokens per minute; ``None`` for what the service says, and 30,000 until it has.
        requests: Requests per minute; ``None`` for what the service says, and no limit until it has.
        minute: Seconds in a minute: benchmarks and tests shorten it.
        guard: Seconds that a request may take from its start here to its arrival at the service.
    """

    tokens: int | None = None
    requests: int | None = None
    model: Model = Model.SLIDING
    minute: float = 60.0
    guard: float = 0.1


@dataclass(frozen=True)
class Observation:
    """What the headers of an answer say; ``None`` where they are silent."""

    limit_tokens: int | None = None
    remaining_tokens: int | None = None
    limit_requests: int | None = None
    remaining_requests: int | None = None

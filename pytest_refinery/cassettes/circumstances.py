"""Under what circumstances a cassette was recorded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Circumstances:
    """What a replay has to do as the recording did, whatever is set up on the machine that replays.

    Attributes:
        analyst: Who diagnosed and judged; ``""`` where the cassette does not say.
        base_url: Where the model was asked; ``None`` for what the environment says.
        tokens_per_minute: The limit of the account when the recording began, 30,000 where it was not known: it decides
            how traces are cut.
    """

    analyst: str = ""
    base_url: str | None = None
    tokens_per_minute: int = 30_000

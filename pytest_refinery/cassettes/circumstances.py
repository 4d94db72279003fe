"""Under what circumstances a cassette was recorded."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from pytest_refinery.cassettes import yaml_text

if TYPE_CHECKING:
    from pathlib import Path


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


def of(path: Path) -> Circumstances | None:
    """Return the circumstances of a cassette; ``None`` where there is none, or where it does not say them."""
    try:
        with path.open(encoding="utf-8") as file:
            head = "".join(takewhile(lambda line: not line.startswith("interactions:"), file))
        found = yaml_text.read(head)["circumstances"]
        return Circumstances(str(found["analyst"]), found["base_url"], int(found["tokens_per_minute"]))
    except (OSError, ValueError, TypeError, KeyError, yaml_text.NotYaml):
        # What is wrong with a cassette is said when it is opened.
        return None

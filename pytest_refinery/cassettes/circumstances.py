"""Under what circumstances a cassette was recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from pytest_refinery.cassettes import yaml_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Circumstances:
    """What a replay has to do as the recording did, whatever is set up on the machine that replays.

    Attributes:
        analyst: Who diagnosed and judged; ``""`` where the cassette does not say.
        tokens_per_minute: The limit of the account when the recording began, 30,000 where it was not known: it decides
            how traces are cut.
        variables: The environment variables that said which service was asked; none of them is a secret.
    """

    analyst: str = ""
    tokens_per_minute: int = 30_000
    variables: Mapping[str, str] = field(default_factory=dict)


def of(path: Path) -> Circumstances:
    """Return the circumstances of a cassette; where there is none, or it does not say them, the usual ones."""
    try:
        with path.open(encoding="utf-8") as file:
            head = "".join(takewhile(lambda line: not line.startswith("interactions:"), file))
        found = yaml_text.read(head)["circumstances"]
        variables = {str(name): str(value) for name, value in (found["variables"] or {}).items()}
        return Circumstances(str(found["analyst"]), int(found["tokens_per_minute"]), variables)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml_text.NotYaml):
        # What is wrong with a cassette is said when it is opened.
        return Circumstances()

"""What models accept, and what they cost.

A wrong guess costs one request: a service that refuses a parameter is asked again without.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_CHATS = re.compile(r"chat|audio|search")
_ALWAYS_THINKS = re.compile(r"o\d|gpt-5(?![.\d])|gpt-5\.[6-9]|gpt-[6-9]|codex")
_MAY_THINK = re.compile(r"gpt-5\.[1-5](?!\d)")
_EFFORT = "low"
_ROOM_FOR_THINKING = 2_000


@dataclass(frozen=True)
class Abilities:
    """How a model is asked.

    Attributes:
        effort: How hard it shall think; ``None`` where it cannot.
        takes_temperature: Whether a temperature may be sent.
        room: Output tokens that its thinking takes, beside those of the answer.
    """

    effort: str | None = None
    takes_temperature: bool = True
    room: int = 0

    def parameters(self, *, temperature: float, max_output_tokens: int) -> dict[str, Any]:
        """Return the parameters of a request that depend on the model."""
        found: dict[str, Any] = {"max_output_tokens": max_output_tokens + self.room}
        if self.takes_temperature:
            found["temperature"] = temperature
        if self.effort is not None:
            found["reasoning"] = {"effort": self.effort}
        return found


def abilities(model: str) -> Abilities:
    """Return how ``model`` is asked, by its name."""
    if _CHATS.search(model):
        return Abilities()
    if _ALWAYS_THINKS.match(model):
        return Abilities(effort=_EFFORT, takes_temperature=False, room=_ROOM_FOR_THINKING)
    return Abilities(effort="none") if _MAY_THINK.match(model) else Abilities()


def dollars(model: str, input_tokens: int, output_tokens: int) -> float | None:
    """Return the price in US dollars, ``None`` where it is unknown; needs ``pytest-refinery[prices]``."""
    # Optional, and it loads an HTTP client.
    from genai_prices import Usage, calc_price  # noqa: PLC0415

    try:
        price = calc_price(Usage(input_tokens=input_tokens, output_tokens=output_tokens), model_ref=model)
    except LookupError:
        return None
    return float(price.total_price)

"""Token counts, under any vendor's names."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = {
    "input_tokens": ("input_tokens", "prompt_tokens", "promptTokens", "inputTokens", "input", "prompt_token_count"),
    "output_tokens": (
        "output_tokens",
        "completion_tokens",
        "completionTokens",
        "outputTokens",
        "output",
        "candidates_token_count",
    ),
    "total_tokens": ("total_tokens", "totalTokens", "total", "total_token_count"),
}


def counted(source: Mapping[str, Any]) -> dict[str, int]:
    """Return ``input_tokens``, ``output_tokens`` and ``total_tokens`` as far as ``source`` has them."""
    found = {}
    for name, keys in _NAMES.items():
        value = next((source[key] for key in keys if _is_count(source.get(key))), None)
        if value is not None:
            found[name] = int(value)
    return found


def _is_count(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value >= 0

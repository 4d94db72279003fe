"""Token counts, under any vendor's names."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = {
    "input_tokens": (
        *("input_tokens", "prompt_tokens", "promptTokens", "inputTokens", "input"),
        *("prompt_token_count", "promptTokenCount"),
    ),
    "output_tokens": (
        *("output_tokens", "completion_tokens", "completionTokens", "outputTokens", "output"),
        *("candidates_token_count", "candidatesTokenCount"),
    ),
    "total_tokens": ("total_tokens", "totalTokens", "total", "total_token_count", "totalTokenCount"),
}


def counted(source: Mapping[str, Any]) -> dict[str, int]:
    """Return ``input_tokens``, ``output_tokens`` and ``total_tokens`` as far as ``source`` has them."""
    found = {}
    for name, keys in _NAMES.items():
        counts = (_count(source.get(key)) for key in keys)
        if (count := next((count for count in counts if count is not None), None)) is not None:
            found[name] = count
    return found


def _count(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if math.isfinite(value) and value >= 0 else None

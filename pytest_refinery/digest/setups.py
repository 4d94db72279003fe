"""The distinct settings and tools of model calls: setups ``c1``, ``c2`` and their tools ``t1``, ``t2``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.digest.references import spans
from pytest_refinery.digest.tool_schemas import signature
from pytest_refinery.traces.json_values import items

if TYPE_CHECKING:
    from pytest_refinery.digest.message_store import MessageStore
    from pytest_refinery.traces.model import Run

_TOOLS = ("tools", "functions")
# Inputs of a model call that say how it answers, not what.
_SETTINGS = frozenset(
    {"model", "model_name", "temperature", "top_p", "top_k", "n", "seed", "stop", "stream", "stream_options"}
    | {"max_tokens", "max_completion_tokens", "max_output_tokens", "max_retries", "timeout"}
    | {"frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "tool_choice", "parallel_tool_calls"}
    | {"response_format", "reasoning", "reasoning_effort", "store", "service_tier", *_TOOLS}
)


@dataclass(frozen=True, slots=True)
class Setup:
    """How a model was called.

    Attributes:
        name: ``c1``; empty where the trace says nothing about it.
        lines: The lines that explain it, where it is new.
        has_new_tools: Whether signatures stand for schemas in ``lines``.
    """

    name: str = ""
    lines: tuple[str, ...] = ()
    has_new_tools: bool = False


class Setups:
    """Numbers the setups of one trace."""

    def __init__(self, store: MessageStore) -> None:
        self._store = store
        self._names: dict[tuple[str, tuple[int, ...]], str] = {}
        self._tools: dict[str, int] = {}

    def add(self, settings: Mapping[str, object]) -> Setup:
        """Return the setup for ``settings``, which may hold tools."""
        known = len(self._tools)
        tools = self._numbers([tool for key in _TOOLS for tool in items(settings.get(key))])
        plain = {key: value for key, value in settings.items() if key not in _TOOLS and value is not None}
        key = (self._store.compact(plain) if plain else "", tools)
        if not any(key) or key in self._names:
            return Setup(self._names.get(key, ""))
        name = self._names[key] = f"c{len(self._names) + 1}"
        new = [f"t{number} {text}" for text, number in list(self._tools.items())[known:]]
        words = [name, key[0], f"tools {spans(tools, 't')}" if tools else ""]
        return Setup(name, (" ".join(filter(None, words)), *new), has_new_tools=bool(new))

    def _numbers(self, tools: list[object]) -> tuple[int, ...]:
        return tuple(self._tools.setdefault(signature(tool), len(self._tools) + 1) for tool in tools)


def divided(run: Run, rest: object) -> tuple[dict[str, object], object]:
    """Return the settings of a model call, and the rest of its inputs without them."""
    if not isinstance(rest, Mapping):
        return dict(run.settings), rest
    given = {key: value for key, value in rest.items() if key in _SETTINGS}
    remaining = {key: value for key, value in rest.items() if key not in _SETTINGS}
    return {**run.settings, **given}, remaining or None

"""What models and their services accept, and what they cost.

A wrong guess costs one request: a service that rejects a parameter is asked again without, once for each parameter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_refinery.analysis.ports import Stage

if TYPE_CHECKING:
    from pytest_refinery.analysts.model.service_errors import ErrorDetails

_CHATS = re.compile(r"chat|audio|search")
_ALWAYS_THINKS = re.compile(r"o\d|gpt-5(?![.\d])|gpt-5\.[6-9]|gpt-[6-9]|gpt-oss|codex|deepseek-r|qwq|magistral")
_MAY_THINK = re.compile(r"gpt-5\.[1-5](?!\d)")
_HOSTED = re.compile(r"(?:chat)?gpt-\d|o\d|codex|claude|gemini|grok|nova-|sonar|command")
# The stages that weigh: there a model that can think does.
_WEIGHING = frozenset({Stage.DIAGNOSIS, Stage.JUDGE})
_ROOM_FOR_THINKING = {"none": 0, "low": 2_000, "medium": 8_000, "high": 24_000}


class Parameter(StrEnum):
    """What a request can do without."""

    TEMPERATURE = "temperature"
    EFFORT = "the effort of reasoning"
    CACHE_KEY = "prompt_cache_key"
    STORE = "store"
    INCLUDE = "include"
    OUTPUT_LIMIT = "max_output_tokens"
    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"


# What services call them, in the order in which they are dropped.
_NAMES = {
    Parameter.TEMPERATURE: ("temperature",),
    Parameter.EFFORT: ("reasoning", "reasoning.effort", "reasoning_effort", "effort", "thinking"),
    Parameter.CACHE_KEY: ("prompt_cache_key",),
    Parameter.STORE: ("store",),
    Parameter.INCLUDE: ("include",),
    Parameter.OUTPUT_LIMIT: ("max_output_tokens", "max_completion_tokens", "max_tokens"),
    Parameter.JSON_SCHEMA: (
        *("text", "text.format", "text.format.type", "response_format", "response_format.type", "json_schema"),
        *("response_format.json_schema", "strict", "structured outputs", "structured output"),
    ),
    Parameter.JSON_OBJECT: ("text", "text.format", "text.format.type", "response_format", "response_format.type"),
}
# Words that are too common in sentences to count there without a mark around them.
_COMMON_WORDS = frozenset({"store", "include", "text", "thinking", "effort", "strict", "reasoning"})


class Thinking(StrEnum):
    """Whether a model thinks before it writes."""

    NEVER = "never"
    OPTIONAL = "optional"
    ALWAYS = "always"


@dataclass(frozen=True)
class Abilities:
    """How a model is asked.

    Attributes:
        dropped: What its service has rejected.
        effort: How hard it shall think, where the user has said so.
        ignores_schema: Whether its service has let an answer through that does not fit the schema.
    """

    thinking: Thinking = Thinking.NEVER
    dropped: frozenset[Parameter] = frozenset()
    effort: str | None = None
    ignores_schema: bool = False

    @property
    def shows_schema(self) -> bool:
        """Whether the schema of the answer stands in the question."""
        return self.ignores_schema or not self.takes(Parameter.JSON_SCHEMA)

    def takes(self, parameter: Parameter) -> bool:
        """Tell whether a request may have a parameter."""
        return parameter not in self.dropped

    @property
    def takes_temperature(self) -> bool:
        """Whether a temperature may be sent."""
        return self.thinking is not Thinking.ALWAYS and self.takes(Parameter.TEMPERATURE)

    def effort_of(self, stage: Stage) -> str | None:
        """Return how hard it shall think in a stage; ``None`` where nothing is said about it."""
        if not self.takes(Parameter.EFFORT):
            return None
        if self.effort is not None:
            return self.effort
        if self.thinking is Thinking.NEVER:
            return None
        return "low" if stage in _WEIGHING or self.thinking is Thinking.ALWAYS else "none"

    def room(self, stage: Stage) -> int:
        """Return the output tokens that its thinking takes beside the answer."""
        usual = "none" if self.thinking is Thinking.NEVER else "low"
        return _ROOM_FOR_THINKING[self.effort_of(stage) or usual]

    def without(self, details: ErrorDetails) -> tuple[Abilities, Parameter] | None:
        """Return how to ask without the parameter that an error names; ``None`` where none is left to drop."""
        for parameter, names in _NAMES.items():
            if self.takes(parameter) and _is_named(names, details):
                return replace(self, dropped=self.dropped | {parameter}), parameter
        return None

    def that_thinks(self) -> Abilities:
        """Return the abilities of a model whose usage shows that it thinks."""
        return replace(self, thinking=Thinking.ALWAYS) if self.thinking is Thinking.NEVER else self


def _is_named(names: tuple[str, ...], details: ErrorDetails) -> bool:
    if details.param:
        return details.param in names
    return any(_stands_in(name, details.message.lower()) for name in names)


def _stands_in(name: str, message: str) -> bool:
    escaped = re.escape(name)
    if name in _COMMON_WORDS:
        return re.search(rf"""['"`.]{escaped}['"`:]""", message) is not None
    return re.search(rf"(?<![\w.]){escaped}(?![\w])", message) is not None


def abilities(model: str, *, effort: str | None = None) -> Abilities:
    """Return how ``model`` is asked, by its name; a provider in front of it does not count."""
    name = model.rpartition("/")[2].lower()
    if _CHATS.search(name):
        return Abilities(effort=effort)
    if _ALWAYS_THINKS.match(name):
        return Abilities(Thinking.ALWAYS, effort=effort)
    if _MAY_THINK.match(name):
        return Abilities(Thinking.OPTIONAL, effort=effort)
    return Abilities(effort=effort)


def is_hosted(model: str) -> bool:
    """Tell whether a model is to be had at its maker alone, so that a server on this machine only passes it on."""
    return _HOSTED.match(model.rpartition("/")[2].lower()) is not None


def dollars(model: str, input_tokens: int, output_tokens: int) -> float | None:
    """Return the price in US dollars, ``None`` where it is unknown; needs ``pytest-refinery[prices]``."""
    # Optional, and it loads an HTTP client.
    from genai_prices import Usage, calc_price  # noqa: PLC0415

    try:
        price = calc_price(Usage(input_tokens=input_tokens, output_tokens=output_tokens), model_ref=model)
    except LookupError:
        return None
    return float(price.total_price)

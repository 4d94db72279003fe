"""Questions to a model, as plain data: the same question always makes the same request."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_refinery.analysts.model import answers
from pytest_refinery.digest import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

    from pytest_refinery.analysis.ports import Stage
    from pytest_refinery.analysts.model.models import Abilities

# The line with the fence of the data comes first: it differs from that of any other data.
_TELLING = 60
# What a message, a schema or a tool costs beside its text.
_AROUND_A_TEXT = 4
# What the file search costs beside what it finds; a recording with one short result counts 1,178 input tokens.
_FOR_A_SEARCH = 1_100


@dataclass(frozen=True)
class Search:
    """A file search that the model may make, or must.

    Attributes:
        filters: Which files it may find, by their attributes.
        most: Results at most.
        tokens: What the results will cost, by our own count.
        is_forced: Whether the model has to search.
    """

    store_id: str
    filters: dict[str, Any]
    most: int
    tokens: int
    is_forced: bool = False

    @property
    def tool(self) -> dict[str, Any]:
        """The tool as requests have it."""
        return {
            "type": "file_search",
            "vector_store_ids": [self.store_id],
            "max_num_results": self.most,
            "filters": self.filters,
        }


@dataclass(frozen=True)
class Query:
    """One request for a structured answer.

    Attributes:
        max_output_tokens: Of the answer itself, without what a model thinks before.
        has_fixed_room: Whether the user has set ``max_output_tokens``, so that it may not grow.
        attempt: How often it was asked before.
    """

    stage: Stage
    model: str
    instructions: str
    text: str
    answer: type[BaseModel]
    max_output_tokens: int
    temperature: float
    has_fixed_room: bool = False
    search: Search | None = None
    attempt: int = 0

    def with_more_room(self) -> Query:
        """Return the same question with twice the room for the answer."""
        return replace(self, max_output_tokens=2 * self.max_output_tokens, attempt=self.attempt + 1)

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the answer."""
        return answers.schema(self.answer)

    @property
    def kind(self) -> str:
        """What tells requests apart whose costs differ: the stage, the way to the trace, and a second attempt."""
        searched = ", searched" if self.search else ""
        again = ", again" if self.attempt else ""
        return f"{self.stage}, {self.answer.__name__}{searched}{again}"

    def output_limit(self, abilities: Abilities) -> int:
        """Return the output tokens that are permitted, those included that the model thinks with."""
        return self.max_output_tokens + abilities.room(self.stage)

    def shown(self, abilities: Abilities) -> str:
        """Return the text, with the schema of the answer where the service does not hold the model to it."""
        if not abilities.shows_schema:
            return self.text
        asked = "Answer with one JSON object that fits this JSON Schema, and nothing else:"
        return f"{self.text}\n\n{asked}\n{self._schema_text}"

    def input_tokens(self, abilities: Abilities) -> int:
        """Return what the request carries, by our own count."""
        texts = [self.instructions, self.shown(abilities), self._schema_text]
        found = sum(tokens.estimate(text) + _AROUND_A_TEXT for text in texts)
        if self.search is not None:
            found += tokens.estimate(_compact([self.search.tool])) + _FOR_A_SEARCH + self.search.tokens
        return found

    @property
    def _schema_text(self) -> str:
        return _compact(self.schema)


def _compact(value: object) -> str:
    """Return JSON as the service counts it: a recorded schema of 32 tokens without spaces, 43 with, cost 33."""
    return json.dumps(value, separators=(",", ":"))


def filters_for(**attributes: str | Sequence[str]) -> dict[str, Any]:
    """Return a filter that lets files pass whose attributes are these: each the value, or one of the values."""
    comparisons: list[dict[str, Any]] = [
        {"type": "eq", "key": key, "value": value}
        if isinstance(value, str)
        else {"type": "in", "key": key, "value": list(value)}
        for key, value in attributes.items()
    ]
    return comparisons[0] if len(comparisons) == 1 else {"type": "and", "filters": comparisons}


def cache_key(query: Query) -> str:
    """Return what requests share whose beginnings are the same."""
    return hashlib.sha256(f"{query.instructions}\n{query.text[:_TELLING]}".encode()).hexdigest()[:16]

"""A mistake in grouping or retrieval shows in the answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.openai_server import OpenAIServer, RunReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openai import OpenAI

PLANTED = "I have saved your preference for good."
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "runs_read": {"type": "array", "items": {"type": "integer"}},
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"run": {"type": "integer"}, "quote": {"type": "string"}},
                "required": ["run", "quote"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["runs_read", "findings"],
    "additionalProperties": False,
}


def group(first: int, last: int) -> str:
    """Return runs of a digest, about 75 tokens each; run 17 says what is looked for."""
    return "\n".join(
        f"#{number} llm model ^1 out m{number}\nm{number} assistant: {PLANTED if number == 17 else 'All is well.'}\n"
        + " ".join(f" word{number}" for _ in range(20))
        for number in range(first, last + 1)
    )


@pytest.fixture
def ask(connect: Callable[[OpenAIServer], OpenAI]) -> Iterator[Callable[..., dict[str, Any]]]:
    """Ask about one group of a store with six groups of six runs."""
    with OpenAIServer(brain=RunReader(("I have saved",))) as server:
        client = connect(server)
        store = client.vector_stores.create()
        for index in range(6):
            name, text = f"g{index + 1:02d}", group(6 * index + 1, 6 * index + 6)
            stored = client.files.create(file=(f"{name}_trace.md", text.encode()), purpose="assistants")
            client.vector_stores.files.create(
                store.id,
                file_id=stored.id,
                attributes={"group": name},
                chunking_strategy={
                    "type": "static",
                    "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0},
                },
            )

        def ask(name: str, **options: object) -> dict[str, Any]:
            tool: Any = {
                "type": "file_search",
                "vector_store_ids": [store.id],
                "filters": {"type": "eq", "key": "group", "value": name},
                "max_num_results": 50,
                **options,
            }
            text: Any = {"format": {"type": "json_schema", "name": "stage1", "schema": SCHEMA, "strict": True}}
            response = client.responses.create(model="gpt-4o", input="What went wrong?", tools=[tool], text=text)
            answer: dict[str, Any] = json.loads(response.output_text)
            return answer

        yield ask


def test_the_group_that_carries_the_cause_names_it(ask: Callable[..., dict[str, Any]]) -> None:
    assert ask("g03") == {"runs_read": list(range(13, 19)), "findings": [{"run": 17, "quote": PLANTED}]}


@pytest.mark.parametrize("name", ["g01", "g02", "g04", "g05", "g06"])
def test_no_other_group_does(ask: Callable[..., dict[str, Any]], name: str) -> None:
    answer = ask(name)
    assert len(answer["runs_read"]) == 6
    assert answer["findings"] == []


def test_too_few_results_leave_runs_unread(ask: Callable[..., dict[str, Any]]) -> None:
    answer = ask("g03", max_num_results=2)
    assert len(answer["runs_read"]) < 6
    assert answer["findings"] == []


def test_a_missing_filter_reads_other_groups(ask: Callable[..., dict[str, Any]]) -> None:
    assert len(ask("g03", filters=None)["runs_read"]) == 36

"""Every endpoint through the official SDK, every answer held against the specification."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import openai
import pytest
from openai import OpenAI
from openai.types.responses import ResponseFileSearchToolCall
from pydantic import BaseModel

from tests.openai_server import OpenAIServer, SetClock, View
from tests.openai_server.messages import Request
from tests.openai_server.specification import specification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RESULTS: Literal["file_search_call.results"] = "file_search_call.results"
SMALL_CHUNKS: Any = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}


class Verdict(BaseModel):
    passed: bool
    reason: str


@pytest.fixture(autouse=True)
def answers_fit_the_specification(server: OpenAIServer) -> Iterator[None]:
    """Hold every answer of the test against the specification, where that is beside the checkout."""
    yield
    official = specification()
    for exchange in server.log if official else ():
        route = server.app.route_of(Request(exchange.method, exchange.path))
        if official is not None and route is not None and exchange.status == 200:
            assert official.problem_of_answer(exchange.method, route.path, exchange.answer) is None, exchange


def uploaded(client: OpenAI, name: str, text: str = "A text.") -> str:
    return client.files.create(file=(name, text.encode()), purpose="assistants").id


def filled_store(client: OpenAI, **texts: str) -> str:
    """Return a store with a file for each group, its group among the attributes."""
    store = client.vector_stores.create(name="trace")
    files: list[Any] = [
        {"file_id": uploaded(client, f"{group}_trace.md", text), "attributes": {"group": group, "role": "trace"}}
        for group, text in texts.items()
    ]
    batch = client.vector_stores.file_batches.create_and_poll(store.id, files=files)
    assert batch.file_counts.completed == len(texts)
    return store.id


def test_files_are_kept_listed_and_removed(client: OpenAI) -> None:
    kept = client.files.create(
        file=("g01.md", "Prüfung\r\n--x".encode()),
        purpose="assistants",
        expires_after={"anchor": "created_at", "seconds": 3_600},
    )
    assert (kept.filename, kept.bytes, kept.purpose) == ("g01.md", 13, "assistants")
    assert kept.expires_at == kept.created_at + 3_600
    assert client.files.retrieve(kept.id) == kept
    client.files.create(file=("image.png", b"\x89PNG"), purpose="vision")
    assert [file.id for file in client.files.list(purpose="assistants")] == [kept.id]
    assert client.files.delete(kept.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(kept.id)


def test_lists_come_page_by_page(client: OpenAI) -> None:
    ids = [uploaded(client, f"{number}.md") for number in range(5)]
    assert [file.id for file in client.files.list(limit=2)] == ids[::-1]
    assert [file.id for file in client.files.list(limit=2, order="asc")] == ids
    first = client.files.list(limit=2, order="asc")
    assert (len(first.data), first.has_more) == (2, True)
    stores = [client.vector_stores.create().id for _ in range(3)]
    assert [store.id for store in client.vector_stores.list(limit=1, order="asc")] == stores
    assert [store.id for store in client.vector_stores.list(before=stores[1])] == [stores[2]]


def test_stores_are_made_changed_and_removed_and_leave_their_files(client: OpenAI) -> None:
    file_id = uploaded(client, "a.md")
    store = client.vector_stores.create(
        name="trace",
        file_ids=[file_id],
        metadata={"content": "abc"},
        expires_after={"anchor": "last_active_at", "days": 7},
    )
    assert store.status == "completed"
    assert store.expires_at == store.created_at + 7 * 86_400
    assert client.vector_stores.retrieve(store.id).metadata == {"content": "abc"}
    assert client.vector_stores.update(store.id, name="other").name == "other"
    assert client.vector_stores.delete(store.id).deleted
    assert client.files.retrieve(file_id).id == file_id


def test_one_file_is_attached_changed_and_taken_out(client: OpenAI) -> None:
    store, file_id = client.vector_stores.create(), uploaded(client, "a.md")
    attached = client.vector_stores.files.create(
        store.id, file_id=file_id, attributes={"group": "g01"}, chunking_strategy=SMALL_CHUNKS
    )
    assert attached.status == "in_progress"
    found = client.vector_stores.files.poll(file_id, vector_store_id=store.id)
    assert (found.status, found.attributes) == ("completed", {"group": "g01"})
    changed = client.vector_stores.files.update(file_id, vector_store_id=store.id, attributes={"group": "g02"})
    assert changed.attributes == {"group": "g02"}
    hits = client.vector_stores.search(store.id, query="text", filters={"type": "eq", "key": "group", "value": "g02"})
    assert [hit.file_id for hit in hits] == [file_id]
    assert [file.id for file in client.vector_stores.files.list(store.id, filter="completed")] == [file_id]
    assert client.vector_stores.files.list(store.id, filter="failed").data == []
    assert client.vector_stores.files.delete(file_id, vector_store_id=store.id).deleted
    assert client.vector_stores.retrieve(store.id).file_counts.total == 0


def test_a_batch_of_ids_shares_attributes_and_a_batch_of_files_does_not(client: OpenAI) -> None:
    store = client.vector_stores.create()
    shared = client.vector_stores.file_batches.create_and_poll(
        store.id, file_ids=[uploaded(client, "a.md")], attributes={"role": "prompt"}
    )
    own = client.vector_stores.file_batches.create_and_poll(
        store.id, files=[{"file_id": uploaded(client, "b.md")}], attributes={"role": "prompt"}
    )
    found = [
        client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id).data[0].attributes
        for batch in (shared, own)
    ]
    assert found == [{"role": "prompt"}, {}]


def test_indexing_takes_its_time_and_can_be_given_up(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    clock = SetClock()
    with OpenAIServer(clock=clock, indexing_seconds=10) as server:
        client = connect(server)
        store = client.vector_stores.create()
        batch = client.vector_stores.file_batches.create(store.id, file_ids=[uploaded(client, "a.md")])
        assert client.vector_stores.retrieve(store.id).status == "in_progress"
        assert client.vector_stores.search(store.id, query="text").data == []
        clock.sleep(10)
        assert client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id).status == "completed"
        late = client.vector_stores.file_batches.create(store.id, file_ids=[uploaded(client, "b.md")])
        cancelled = client.vector_stores.file_batches.cancel(late.id, vector_store_id=store.id)
        assert (cancelled.status, cancelled.file_counts.cancelled) == ("cancelled", 1)


def test_a_file_can_fail_to_be_indexed_or_never_be_done(server: OpenAIServer, client: OpenAI) -> None:
    server.unindexable, server.never_indexed = ("g02_*",), ("g03_*",)
    store = client.vector_stores.create()
    ids = [uploaded(client, f"g0{number}_trace.md") for number in (1, 2, 3)]
    batch = client.vector_stores.file_batches.create(store.id, file_ids=ids)
    found = client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id)
    counts = found.file_counts
    assert (found.status, counts.completed, counts.failed, counts.in_progress) == ("in_progress", 1, 1, 1)
    error = client.vector_stores.files.retrieve(ids[1], vector_store_id=store.id).last_error
    assert error is not None
    assert error.code == "server_error"


def test_a_batch_with_failed_files_is_polled_to_its_end_without_an_error(server: OpenAIServer, client: OpenAI) -> None:
    server.unindexable = ("b.md",)
    store = client.vector_stores.create()
    ids = [uploaded(client, name) for name in ("a.md", "b.md")]
    batch = client.vector_stores.file_batches.create_and_poll(store.id, file_ids=ids)
    assert (batch.status, batch.file_counts.failed) == ("completed", 1)


def test_what_has_expired_is_gone(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    clock = SetClock()
    with OpenAIServer(clock=clock) as server:
        client = connect(server)
        store = client.vector_stores.create(expires_after={"anchor": "last_active_at", "days": 1})
        expiring = client.files.create(
            file=("a.md", b"text"), purpose="assistants", expires_after={"anchor": "created_at", "seconds": 3_600}
        )
        client.vector_stores.files.create(store.id, file_id=expiring.id)
        clock.sleep(3_600)
        assert client.files.list().data == []
        assert client.vector_stores.retrieve(store.id).file_counts.total == 0
        clock.sleep(86_400)
        assert client.vector_stores.retrieve(store.id).status == "expired"
        with pytest.raises(openai.BadRequestError, match="expired"):
            client.vector_stores.search(store.id, query="text")


def test_attaching_is_limited_for_each_store(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    clock = SetClock()
    with OpenAIServer(clock=clock, attaches_per_minute=2) as server:
        client = connect(server)
        store, file_id = client.vector_stores.create(), uploaded(client, "a.md")
        client.vector_stores.files.create(store.id, file_id=file_id)
        client.vector_stores.file_batches.create(store.id, file_ids=[file_id])
        with pytest.raises(openai.RateLimitError):
            client.vector_stores.files.create(store.id, file_id=file_id)
        clock.sleep(60)
        client.vector_stores.files.create(store.id, file_id=file_id)


def test_a_response_is_scoped_by_its_filter_and_shows_what_it_found(client: OpenAI) -> None:
    store_id = filled_store(client, g01="The order was cancelled.", g02="The order was shipped.")
    response = client.responses.create(
        model="gpt-4o",
        input="What became of the order?",
        tools=[
            {
                "type": "file_search",
                "vector_store_ids": [store_id],
                "filters": {"type": "eq", "key": "group", "value": "g02"},
            }
        ],
        include=[RESULTS],
    )
    call = response.output[0]
    assert isinstance(call, ResponseFileSearchToolCall)
    assert call.queries == ["What became of the order?"]
    assert call.results is not None
    found = [(hit.filename, hit.text, hit.attributes) for hit in call.results]
    assert found == [("g02_trace.md", "The order was shipped.", {"group": "g02", "role": "trace"})]


def test_results_are_shown_only_when_asked_for(client: OpenAI) -> None:
    store_id = filled_store(client, g01="A text.")
    response = client.responses.create(
        model="gpt-4o", input="Why?", tools=[{"type": "file_search", "vector_store_ids": [store_id]}]
    )
    call = response.output[0]
    assert isinstance(call, ResponseFileSearchToolCall)
    assert call.results is None


@pytest.mark.parametrize("most", [1, 3, 50])
def test_no_more_results_than_asked_for_and_each_costs_input_tokens(client: OpenAI, most: int) -> None:
    store = client.vector_stores.create()
    text = "\n".join(f"Run number {number} said something about an order." for number in range(40))
    client.vector_stores.files.create(store.id, file_id=uploaded(client, "a.md", text), chunking_strategy=SMALL_CHUNKS)
    chunks = client.vector_stores.search(store.id, query="order", max_num_results=50).data
    tool: Any = {"type": "file_search", "vector_store_ids": [store.id], "max_num_results": most}
    response = client.responses.create(model="gpt-4o", input="order", tools=[tool], include=[RESULTS])
    call = response.output[0]
    assert isinstance(call, ResponseFileSearchToolCall)
    assert call.results is not None
    assert len(call.results) == min(most, len(chunks))
    assert response.usage is not None
    costs = response.usage.input_tokens - 1_100
    assert 70 * len(call.results) < costs < 110 * len(call.results) + 100


def test_a_reasoning_model_sends_several_queries_and_thinks(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    with OpenAIServer(reasoning_tokens=50) as server:
        client = connect(server)
        store_id = filled_store(client, g01="A text.")
        response = client.responses.create(
            model="o4-mini",
            input="First question.\nLast question.",
            tools=[{"type": "file_search", "vector_store_ids": [store_id]}],
        )
        assert [item.type for item in response.output] == ["reasoning", "file_search_call", "message"]
        call = response.output[1]
        assert isinstance(call, ResponseFileSearchToolCall)
        assert call.queries == ["First question.", "Last question."]
        assert response.usage is not None
        assert response.usage.output_tokens_details.reasoning_tokens == 50
        starved = client.responses.create(model="o4-mini", input="Why?", max_output_tokens=16)
        assert (starved.status, starved.output_text) == ("incomplete", "")


def test_no_search_is_made_where_it_is_forbidden(client: OpenAI) -> None:
    response = client.responses.create(
        model="gpt-4o",
        input="Why?",
        tools=[{"type": "file_search", "vector_store_ids": ["vs_none"]}],
        tool_choice="none",
    )
    assert [item.type for item in response.output] == ["message"]


def test_structured_output_is_parsed_by_the_sdk(client: OpenAI) -> None:
    response = client.responses.parse(model="gpt-4o", input="#1 tool cancel\nm1 tool: Error: no", text_format=Verdict)
    assert response.output_parsed == Verdict(passed=False, reason="Run #1 (cancel) went wrong.")


def test_a_brain_sees_what_the_request_carried_and_nothing_else(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    views: list[View] = []

    def brain(view: View) -> dict[str, Any]:
        views.append(view)
        return {"passed": True}

    with OpenAIServer(brain=brain) as server:
        client = connect(server)
        store_id = filled_store(client, g01="In scope.", g02="Out of scope.")
        response = client.responses.parse(
            model="gpt-4o",
            instructions="Judge.",
            input=[{"role": "user", "content": [{"type": "input_text", "text": "Was it right?"}]}],
            tools=[
                {
                    "type": "file_search",
                    "vector_store_ids": [store_id],
                    "filters": {"type": "eq", "key": "group", "value": "g01"},
                }
            ],
            text_format=Verdict,
        )
    assert response.output_parsed == Verdict(passed=True, reason="")
    assert views[0].text == "Judge.\nWas it right?\nIn scope."
    assert views[0].schema_name == "Verdict"
    assert views[0].passages[0].attributes == {"group": "g01", "role": "trace"}


def test_a_brain_that_breaks_its_schema_is_told_off(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    with (
        OpenAIServer(brain=lambda _: {"passed": "perhaps"}) as server,
        pytest.raises(openai.InternalServerError, match=r"does not fit the schema Verdict: \$\.passed"),
    ):
        connect(server).responses.parse(model="gpt-4o", input="Why?", text_format=Verdict)


def test_a_brain_that_fails_is_seen(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    def brain(_view: View) -> str:
        raise LookupError("no such thing")

    with (
        OpenAIServer(brain=brain) as server,
        pytest.raises(openai.InternalServerError, match=r"failed: LookupError\('no such thing'\)"),
    ):
        connect(server).responses.create(model="gpt-4o", input="Why?")


def test_an_answer_longer_than_allowed_is_cut_off(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    with OpenAIServer(brain=lambda _: "word " * 100) as server:
        response = connect(server).responses.create(model="gpt-4o", input="Why?", max_output_tokens=16)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.output_text == "word " * 16
    assert response.usage is not None
    assert response.usage.output_tokens == 16


def test_input_tokens_are_counted_as_they_will_be_charged(client: OpenAI) -> None:
    schema: Any = {"format": {"type": "json_schema", "name": "free", "schema": {"type": "object"}}}
    counted = client.responses.input_tokens.count(model="gpt-4o", instructions="Be brief.", input="Why?", text=schema)
    response = client.responses.create(model="gpt-4o", instructions="Be brief.", input="Why?", text=schema)
    assert response.usage is not None
    assert counted.input_tokens == response.usage.input_tokens


def test_models_are_listed(client: OpenAI) -> None:
    assert "gpt-4o" in [model.id for model in client.models.list()]
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"


def test_requests_are_found_again_in_the_log(server: OpenAIServer, client: OpenAI) -> None:
    store_id = filled_store(client, g01="A text.")
    client.responses.create(model="gpt-4o", input="Why?", max_output_tokens=100)
    [batch] = server.requests("POST", "/vector_stores/{vector_store_id}/file_batches")
    assert batch.path == f"/vector_stores/{store_id}/file_batches"
    assert batch.body["files"][0]["attributes"]["group"] == "g01"
    [upload] = server.requests("POST", "/files")
    assert (upload.filename, upload.body) == ("g01_trace.md", {"purpose": "assistants"})
    [response] = server.requests("POST", "/responses")
    assert response.body == {"model": "gpt-4o", "input": "Why?", "max_output_tokens": 100}
    assert response.tokens == server.tokens_used == response.answer["usage"]["total_tokens"]
    assert response.started <= response.ended
    assert json.dumps(response.answer)


def test_ids_are_never_given_twice(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    ids = set()
    for _ in range(2):
        with OpenAIServer() as server:
            ids.add(connect(server).vector_stores.create().id)
    assert len(ids) == 2

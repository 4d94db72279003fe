from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response, ResponseFileSearchToolCall, ResponseOutputMessage

from tests.openai_server import OpenAIServer, faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.openai_server.messages import Request

DIGEST = "#1 llm model\nm1 assistant: Hello.\n#2 tool get_order ^1\nm2 tool: Error: not found"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "run": {"type": "integer"},
        "evidence": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"run": {"type": "string"}, "quote": {"type": "string"}},
                "required": ["run", "quote"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["run", "evidence"],
    "additionalProperties": False,
}


def ask(client: OpenAI, **options: Any) -> Response:  # noqa: ANN401  (as the SDK's)
    text: Any = {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}}
    response: Response = client.responses.create(model="gpt-4o", input=DIGEST, text=text, **options)
    return response


def test_a_good_answer_for_comparison(client: OpenAI) -> None:
    evidence = [{"run": "2", "quote": "Error: not found"}]
    assert json.loads(ask(client).output_text) == {"run": 2, "evidence": evidence}


@pytest.mark.parametrize(
    ("fault", "status", "code", "says"),
    [
        (faults.rate_limited(), 429, "rate_limit_exceeded", "Please try again in 1.326s."),
        (faults.rate_limited(wait=0.374, headers=False), 429, "rate_limit_exceeded", "Please try again in 374ms."),
        (faults.request_too_large(), 429, "rate_limit_exceeded", "Limit 30000, Requested 76503."),
        (faults.insufficient_quota(), 429, "insufficient_quota", "You exceeded your current quota"),
        (faults.litellm_limited(), 429, "429", "Rate limit exceeded"),
        (faults.invalid_key(), 401, "invalid_api_key", "Incorrect API key"),
        (faults.unknown_model(), 404, "model_not_found", "The model `gpt-4o` does not exist"),
        (faults.server_error(), 500, None, "The server had an error"),
        (faults.server_error(503), 503, None, "The server had an error"),
        (faults.vanished_store(), 404, None, "not found"),
        (faults.error(418, "Short and stout."), 418, None, "Short and stout."),
    ],
)
def test_an_error_comes_once_and_in_the_services_form(
    client: OpenAI, server: OpenAIServer, fault: faults.Fault, status: int, code: str | None, says: str
) -> None:
    server.faults.add(fault)
    with pytest.raises(openai.APIStatusError) as failed:
        ask(client)
    assert (failed.value.status_code, failed.value.code) == (status, code)
    assert says in failed.value.message
    assert (server.log[-1].fault, server.log[-1].code) == (fault.name, code)
    assert ask(client).status == "completed"


@pytest.mark.parametrize(
    ("fault", "headers"),
    [
        (faults.rate_limited(), {"retry-after": "2", "retry-after-ms": "1326", "x-ratelimit-remaining-tokens": "0"}),
        (faults.rate_limited(headers=False), {}),
        (faults.request_too_large(), {"x-ratelimit-limit-tokens": "30000"}),
        (faults.litellm_limited(window=60), {"retry-after": "60"}),
        (faults.litellm_limited(headers=False), {}),
    ],
)
def test_limits_come_with_their_headers_or_with_none(
    client: OpenAI, server: OpenAIServer, fault: faults.Fault, headers: dict[str, str]
) -> None:
    server.faults.add(fault)
    with pytest.raises(openai.RateLimitError) as refused:
        ask(client)
    sent = refused.value.response.headers
    assert {name: sent[name] for name in headers} == headers
    if not headers:
        assert not [name for name in sent if name.startswith(("retry", "x-ratelimit"))]


def test_a_temperature_is_refused_only_where_one_is_sent(client: OpenAI, server: OpenAIServer) -> None:
    server.faults.add(faults.refused_temperature(code=None), times=None)
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, temperature=0.2)
    assert (refused.value.param, refused.value.code) == ("temperature", None)
    assert ask(client).status == "completed"


def test_expiry_is_refused_only_where_it_is_asked_for(client: OpenAI, server: OpenAIServer) -> None:
    server.faults.add(faults.refused_expiry(), times=None)
    with pytest.raises(openai.BadRequestError):
        client.vector_stores.create(expires_after={"anchor": "last_active_at", "days": 1})
    with pytest.raises(openai.BadRequestError):
        client.files.create(
            file=("a.md", b"text"), purpose="assistants", expires_after={"anchor": "created_at", "seconds": 3_600}
        )
    client.vector_stores.create()


def test_a_fault_waits_for_its_turn_and_may_stay(client: OpenAI, server: OpenAIServer) -> None:
    server.faults.add(faults.server_error(), nth=2, times=2)
    statuses = []
    for _ in range(4):
        try:
            ask(client)
        except openai.InternalServerError as error:
            statuses.append(error.status_code)
        else:
            statuses.append(200)
    assert statuses == [200, 500, 500, 200]


def test_faults_may_be_meant_for_some_requests_and_be_called_off(client: OpenAI, server: OpenAIServer) -> None:
    server.faults.add(faults.server_error(path="/vector_stores*"), times=None)
    server.faults.add(faults.server_error(502), times=None, when=lambda sent: sent.body.get("model") == "gpt-4.1")
    ask(client)
    with pytest.raises(openai.InternalServerError, match="500"):
        client.vector_stores.list()
    with pytest.raises(openai.InternalServerError, match="502"):
        client.responses.create(model="gpt-4.1", input="Hi")
    server.faults.clear()
    client.vector_stores.list()


def test_a_connection_can_be_cut_in_the_middle_of_the_body(client: OpenAI, server: OpenAIServer) -> None:
    server.faults.add(faults.cut_connection())
    with pytest.raises(openai.APIConnectionError):
        ask(client)
    assert server.log[-1].status == 200
    assert ask(client).status == "completed"


def test_an_answer_can_stall(client: OpenAI, server: OpenAIServer) -> None:
    server.faults.add(faults.stalled())
    with pytest.raises(openai.APITimeoutError):
        ask(client, timeout=0.2)


def test_a_stalled_answer_ends_with_the_server(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    failures: list[Exception] = []
    arrived = threading.Event()

    def noticed(_request: Request) -> bool:
        arrived.set()
        return True

    def wait_for_it(client: OpenAI) -> None:
        try:
            ask(client)
        except openai.APIConnectionError as error:
            failures.append(error)

    with OpenAIServer() as server:
        server.faults.add(faults.stalled(), when=noticed)
        waiting = threading.Thread(target=wait_for_it, args=(connect(server),))
        waiting.start()
        assert arrived.wait(10)
    waiting.join(10)
    assert len(failures) == 1


def test_an_answer_can_be_incomplete(client: OpenAI, server: OpenAIServer) -> None:
    server.faults.add(faults.incomplete(share=0.25))
    response = ask(client)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    with pytest.raises(json.JSONDecodeError):
        json.loads(response.output_text)


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "vector_store_timeout"])
def test_an_answer_can_say_that_it_failed(client: OpenAI, server: OpenAIServer, code: str) -> None:
    server.faults.add(faults.failed(code))
    response = ask(client)
    assert (response.status, response.output) == ("failed", [])
    assert response.error is not None
    assert response.error.code == code


def test_the_model_can_refuse(client: OpenAI, server: OpenAIServer) -> None:
    server.faults.add(faults.refusal("No."))
    message = ask(client).output[0]
    assert isinstance(message, ResponseOutputMessage)
    assert message.content[0].type == "refusal"
    assert message.content[0].refusal == "No."


def test_an_answer_can_be_no_json(client: OpenAI, server: OpenAIServer) -> None:
    server.faults.add(faults.not_the_schema("Certainly!"))
    assert ask(client).output_text == "Certainly!"


def test_an_answer_can_name_runs_and_quotes_that_do_not_exist(client: OpenAI, server: OpenAIServer) -> None:
    server.faults.add(faults.unknown_runs(77))
    evidence = [{"run": "77", "quote": "Error: not found"}]
    assert json.loads(ask(client).output_text) == {"run": 77, "evidence": evidence}
    server.faults.add(faults.unknown_quotes("Never said."))
    assert json.loads(ask(client).output_text) == {"run": 2, "evidence": [{"run": "2", "quote": "Never said."}]}


def test_a_fault_of_the_answer_leaves_a_refusal_as_it_is(client: OpenAI, server: OpenAIServer) -> None:
    server.faults.add(faults.incomplete())
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="gpt-none", input="Hi")


def test_a_batch_can_ignore_its_files(client: OpenAI, server: OpenAIServer) -> None:
    server.faults.add(faults.ignored_files())
    store = client.vector_stores.create()
    file_id = client.files.create(file=("a.md", b"text"), purpose="assistants").id
    batch = client.vector_stores.file_batches.create(store.id, files=[{"file_id": file_id}])
    assert (batch.status, batch.file_counts.total) == ("completed", 0)
    assert client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id).file_counts.total == 0
    assert client.vector_stores.retrieve(store.id).file_counts.total == 0


def test_results_can_name_documents_instead_of_files(client: OpenAI, server: OpenAIServer) -> None:
    server.faults.add(faults.document_ids())
    store = client.vector_stores.create()
    file_id = client.files.create(file=("a.md", b"text"), purpose="assistants").id
    client.vector_stores.files.create(store.id, file_id=file_id, attributes={"group": "g01"})
    call = ask(
        client,
        tools=[{"type": "file_search", "vector_store_ids": [store.id]}],
        include=["file_search_call.results"],
    ).output[0]
    assert isinstance(call, ResponseFileSearchToolCall)
    assert call.results is not None
    assert call.results[0].file_id == "document-0"
    assert call.results[0].attributes == {"group": "g01", "file_id": file_id, "filename": "a.md"}

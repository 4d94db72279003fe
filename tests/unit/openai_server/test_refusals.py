"""The service's refusals, as they were recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest
import yaml
from openai import OpenAI

from tests.data_paths import require
from tests.openai_server import OpenAIServer, validation

if TYPE_CHECKING:
    from collections.abc import Callable


def observed(kind: str) -> dict[str, Any]:
    lines = require("cassettes", "openai-errors", "real_error_bodies.jsonl").read_text().splitlines()
    found: dict[str, Any] = next(entry for entry in map(json.loads, lines) if entry["kind"].startswith(kind))
    return found


def test_a_nested_schema_is_refused_as_the_service_does(client: OpenAI) -> None:
    nested: Any = {"format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}, "strict": True}}}
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="gpt-4o", input="Hi", text=nested)
    assert refused.value.body == observed("nested json_schema")["body"]["error"]


def test_a_temperature_on_a_reasoning_model_is_refused_as_the_service_does(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="o3-mini", input="Hi", temperature=0.2)
    assert refused.value.body == observed("temperature on a reasoning model (form A)")["body"]["error"]


def test_a_negative_temperature_is_refused_as_the_service_does(client: OpenAI) -> None:
    path = require("cassettes", "pydantic-ai", "test_openai_responses_model_http_error.yaml")
    recorded = yaml.safe_load(path.read_text())["interactions"][0]["response"]
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="gpt-4o", input="Hi", temperature=-1)
    assert refused.value.body == recorded["parsed_body"]["error"]


def test_a_file_of_an_unsupported_kind_is_refused_as_the_service_does(client: OpenAI) -> None:
    store = client.vector_stores.create()
    table = client.files.create(file=("table.csv", b"a,b"), purpose="assistants")
    with pytest.raises(openai.BadRequestError) as refused:
        client.vector_stores.files.create(store.id, file_id=table.id)
    assert refused.value.body == observed("file extension refused")["body"]["error"]


def test_one_file_of_an_unsupported_kind_refuses_the_whole_batch(client: OpenAI) -> None:
    store = client.vector_stores.create()
    ids = [client.files.create(file=(name, b"text"), purpose="assistants").id for name in ("a.md", "b.svg", "c.yaml")]
    with pytest.raises(openai.BadRequestError, match=r"extensions \[\.svg, \.yaml\]"):
        client.vector_stores.file_batches.create(store.id, file_ids=ids)
    assert client.vector_stores.retrieve(store.id).file_counts.total == 0


def test_a_wrong_key_is_refused(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    recorded = yaml.safe_load(require("cassettes", "ddtrace", "response_error.yaml").read_text())["interactions"][0]
    error = json.loads(recorded["response"]["body"]["string"])["error"]
    with OpenAIServer(api_keys=frozenset({"another"})) as server, pytest.raises(openai.AuthenticationError) as refused:
        connect(server).models.list()
    assert isinstance(refused.value.body, dict)
    assert refused.value.body | {"message": ""} == error | {"message": ""}
    assert refused.value.body["message"].startswith("Incorrect API key provided:")


def test_no_key_is_refused(server: OpenAIServer) -> None:
    answer = httpx2.get(f"{server.base_url}/models")
    assert answer.status_code == 401
    assert answer.json()["error"]["message"].startswith("You didn't provide an API key.")


def test_the_key_is_written_nowhere(server: OpenAIServer) -> None:
    with OpenAI(base_url=server.base_url, api_key="sk-very-secret", max_retries=0) as client:
        client.models.list()
        client.files.create(file=("a.md", b"text"), purpose="assistants")
    assert len(server.log) == 2
    assert "sk-very-secret" not in repr(server.log)


def test_a_model_that_does_not_exist_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="The model `gpt-4p` does not exist") as refused:
        client.responses.create(model="gpt-4p", input="Hi")
    assert refused.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4p")


def test_an_unknown_parameter_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="gpt-4o", input="Hi", extra_body={"max_tokens": 100})
    assert refused.value.body == {
        "message": "Unknown parameter: 'max_tokens'.",
        "type": "invalid_request_error",
        "param": "max_tokens",
        "code": "unknown_parameter",
    }


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.files.retrieve("file-none"),
        lambda client: client.files.delete("file-none"),
        lambda client: client.vector_stores.retrieve("vs_none"),
        lambda client: client.vector_stores.delete("vs_none"),
        lambda client: client.vector_stores.search("vs_none", query="why"),
        lambda client: client.vector_stores.files.create("vs_none", file_id="file-none"),
        lambda client: client.vector_stores.files.retrieve(
            "file-none", vector_store_id=client.vector_stores.create().id
        ),
        lambda client: client.vector_stores.file_batches.retrieve(
            "vsfb_none", vector_store_id=client.vector_stores.create().id
        ),
        lambda client: client.responses.create(
            model="gpt-4o", input="Hi", tools=[{"type": "file_search", "vector_store_ids": ["vs_none"]}]
        ),
        lambda client: client.get("/nothing", cast_to=object),
    ],
)
def test_what_does_not_exist_is_not_found(client: OpenAI, ask: Callable[[OpenAI], object]) -> None:
    with pytest.raises(openai.NotFoundError):
        ask(client)


def test_an_input_beyond_the_context_window_is_refused(server: OpenAIServer, client: OpenAI) -> None:
    server.context_window = 100
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="gpt-4o", input="word " * 200)
    assert refused.value.code == "context_length_exceeded"


def test_a_body_that_is_no_json_is_refused(client: OpenAI) -> None:
    headers = {"content-type": "application/json"}
    with pytest.raises(openai.BadRequestError, match="could not parse the JSON body"):
        client.post("/responses", cast_to=object, content=b"{", options={"headers": headers})


def test_an_upload_without_a_file_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="Missing required parameter: 'file'"):
        client.post("/files", cast_to=object, body={"purpose": "assistants"})


@pytest.mark.parametrize("limit", [0, 101])
def test_a_page_has_a_largest_size(client: OpenAI, limit: int) -> None:
    with pytest.raises(openai.BadRequestError, match=f"an integer from 1 to 100, but got '{limit}'"):
        client.vector_stores.list(limit=limit)


def test_requests_that_the_service_accepted_are_accepted() -> None:
    recorded = 0
    for path in sorted(require("cassettes", "pydantic-ai").glob("*.yaml")):
        for each in yaml.safe_load(path.read_text())["interactions"]:
            body = each["request"].get("parsed_body", {})
            if (
                each["request"]["uri"].endswith("/responses")
                and "background" not in body
                and body.get("temperature") != -1
            ):
                validation.response(body)
                recorded += 1
    assert recorded > 2

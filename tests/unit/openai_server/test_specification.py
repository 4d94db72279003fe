"""What the service was recorded to say, held against the specification and against this server."""

from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from openai.types.responses import Response
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from openai.types.vector_stores import FileBatchCreateParams

from tests.data_paths import require
from tests.openai_server.app import App
from tests.openai_server.messages import Request
from tests.openai_server.specification import problem_for_sdk, specification
from tests.openai_server.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.openai_server.specification import Specification

FILTERS = {
    "type": "and",
    "filters": [
        {"type": "eq", "key": "role", "value": "trace"},
        {"type": "or", "filters": [{"type": "in", "key": "group", "value": ["g01", "g02"]}]},
    ],
}
REQUEST = {
    "model": "gpt-4o",
    "input": [{"role": "user", "content": [{"type": "input_text", "text": "Why?"}]}],
    "tools": [{"type": "file_search", "vector_store_ids": ["vs_1"], "filters": FILTERS}],
}


@pytest.fixture
def official() -> Specification:
    require("specs", "openai-responses-files-vector_stores.openapi.json")
    found = specification()
    assert found is not None
    return found


def recordings() -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Yield method, path, request and answer of what was recorded and succeeded."""
    folder = require("cassettes", "pydantic-ai")
    for path in sorted(folder.glob("*.yaml")):
        for each in yaml.safe_load(path.read_text())["interactions"]:
            body = each["response"].get("parsed_body")
            if each["response"]["status"]["code"] == 200 and body is not None:
                request = each["request"]
                yield request["method"], template(request["uri"]), request.get("parsed_body", {}), body


def template(uri: str) -> str:
    path = uri.split("/v1")[1]
    path = re.sub(r"/vector_stores/[^/]+", "/vector_stores/{vector_store_id}", path)
    return re.sub(r"/(files|responses)/[^/]+", lambda found: f"/{found[1]}/{{{found[1][:-1]}_id}}", path)


def without_new_counts(problem: str | None) -> str | None:
    """Forgive recordings that are older than the latest additions to the usage."""
    return None if problem and "cache_write_tokens" in problem else problem


def test_recordings_fit_the_mended_specification(official: Specification) -> None:
    found = list(recordings())
    assert len(found) > 8
    for method, path, request, answer in found:
        assert official.problem_of_request(method, path, request) is None
        assert without_new_counts(official.problem_of_answer(method, path, answer)) is None


def test_an_answer_of_ours_has_every_field_that_was_recorded(official: Specification) -> None:
    recorded = [answer for method, path, _, answer in recordings() if (method, path) == ("POST", "/responses")]
    ours = App(Terms()).answer(Request("POST", "/responses", body={"model": "gpt-4o", "input": "Hi"}, key="k")).body
    later = {"billing", "prompt_cache_retention"}
    for answer in recorded:
        assert set(answer) - later <= set(ours)


def test_recorded_answers_are_read_by_the_sdk() -> None:
    answers = [answer for name in ("file_search", "incomplete_response") for answer in langchain_answers(name)]
    assert [answer.status for answer in answers] == ["completed", "completed", "incomplete"]
    assert [item.type for item in answers[0].output] == ["file_search_call", "message"]
    assert answers[0].usage is not None
    assert answers[0].usage.input_tokens == 16_431


def langchain_answers(name: str) -> Iterator[Response]:
    """Yield the answers of a recording that were no streams."""
    content = gzip.decompress(require("cassettes", "langchain-openai", f"test_{name}.yaml.gz").read_bytes())
    for response in yaml.safe_load(content)["responses"]:
        if response["body"]["string"].startswith(b"{"):
            yield Response.construct(**json.loads(response["body"]["string"]))


def test_compound_filters_are_valid(official: Specification) -> None:
    assert official.problem_of_request("POST", "/responses", REQUEST) is None
    assert problem_for_sdk(ResponseCreateParamsNonStreaming, REQUEST) is None


def test_a_wrong_filter_deep_inside_is_found(official: Specification) -> None:
    wrong = {"type": "and", "filters": [{"type": "eq", "key": "role"}]}
    body = REQUEST | {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"], "filters": wrong}]}
    assert official.problem_of_request("POST", "/responses", body) is not None


def test_the_sdks_types_are_checked_to_the_last_item() -> None:
    right: dict[str, Any] = {"files": [{"file_id": "file-1", "attributes": {"group": "g01"}}]}
    assert problem_for_sdk(FileBatchCreateParams, right) is None
    right["files"].append({"attributes": {}})
    assert problem_for_sdk(FileBatchCreateParams, right) == "1.file_id: Field required"


def test_paths_that_the_specification_does_not_know_are_not_judged(official: Specification) -> None:
    assert official.problem_of_request("POST", "/models", {"any": "thing"}) is None
    assert official.problem_of_answer("GET", "/models", {}) is None

"""What the real service has said, read by what reads it here."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysts.model import responses_api, service_errors
from pytest_refinery.analysts.model.service_errors import (
    AccountRejected,
    ErrorDetails,
    RateLimited,
    ServiceError,
    TransientError,
    UnsupportedParameter,
)
from tests.data_paths import require
from tests.unit.analysts.model import recordings

if TYPE_CHECKING:
    from tests.unit.analysts.model.recordings import Recorded


def responses() -> list[Recorded]:
    return [each for each in recordings.read(require("cassettes")) if each.body.get("object") == "response"]


def test_every_response_is_read() -> None:
    seen = set()
    for each in responses():
        if each.body["status"] in {"queued", "in_progress"}:
            continue
        reply = responses_api.read(each.body)
        seen.add(each.file)
        called = any(item["type"] == "function_call" for item in each.body["output"])
        assert reply.text or reply.refusal or reply.cut_off_by or called, each.file
        assert reply.usage is not None, each.file
        assert reply.usage.input_tokens > 0, each.file
    assert len(seen) >= 6


def test_what_the_file_search_found_is_read() -> None:
    found = [(each.file, passage) for each in responses() for passage in responses_api.read(each.body).passages]
    assert found
    for _, passage in found:
        assert passage.filename
        assert passage.text


def test_an_incomplete_response_says_why() -> None:
    reasons = {responses_api.read(each.body).cut_off_by for each in responses() if each.body["status"] == "incomplete"}
    assert reasons == {"max_output_tokens"}


def test_every_error_of_a_recording_is_a_refusal_with_the_services_words() -> None:
    errors = [each for each in recordings.read(require("cassettes")) if isinstance(each.body.get("error"), dict)]
    assert errors
    for each in errors:
        said = each.body["error"]
        refusal = service_errors.read(
            ErrorDetails(each.status, said["message"], str(said.get("code") or ""), str(said.get("param") or ""))
        )
        assert " ".join(said["message"].split())[:60] in str(refusal)


WORDS = ["status", "output", "usage", "type", "content", "text", "message", "error", "results", "input_tokens"]
KINDS: dict[str, type[ServiceError]] = {
    "rate_limit_exceeded": RateLimited,
    "insufficient_quota": AccountRejected,
    "throttling_error": RateLimited,
}


def test_every_captured_error_body_is_of_a_kind() -> None:
    lines = require("cassettes", "openai-errors", "real_error_bodies.jsonl").read_text(encoding="utf-8").splitlines()
    seen = 0
    for line in map(json.loads, lines):
        error = (line.get("body") or {}).get("error")
        if not isinstance(error, dict):
            continue
        code, param = str(error.get("code") or ""), str(error.get("param") or "")
        found = service_errors.read(ErrorDetails(line["status"], str(error["message"]), code, param))
        wanted = KINDS.get(code) or (UnsupportedParameter if line["status"] == 400 and param else ServiceError)
        assert isinstance(found, wanted), line
        seen += 1
    assert seen >= 8


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AccountRejected),
        (408, TransientError),
        (409, TransientError),
        (500, TransientError),
        (529, TransientError),
    ],
)
def test_a_status_says_whether_asking_again_can_help(status: int, kind: type[ServiceError]) -> None:
    found = service_errors.read(ErrorDetails(status, "Something"))
    assert isinstance(found, kind)
    assert found.is_final == (kind is AccountRejected)


def test_a_long_message_is_shortened_and_every_sentence_ends() -> None:
    said = str(service_errors.read(ErrorDetails(400, "word " * 500)))
    assert len(said) < 400
    assert said.endswith("…")
    assert str(service_errors.read(ErrorDetails(400, "No"))).endswith("No.")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("rate_limit_exceeded", RateLimited),
        ("vector_store_timeout", TransientError),
        ("invalid_prompt", service_errors.RequestRejected),
    ],
)
def test_a_200_that_failed_is_no_answer(code: str, kind: type[ServiceError]) -> None:
    with pytest.raises(kind, match=f"The service failed to answer \\({code}\\): Why"):
        responses_api.read({"status": "failed", "error": {"code": code, "message": "Why"}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(WORDS), JSON))
def test_an_answer_of_any_shape_is_read_or_refused(body: dict[str, Any]) -> None:
    with suppress(ServiceError):
        assert isinstance(responses_api.read(body).text, str)


def test_the_true_file_stands_among_the_attributes() -> None:
    shown = {"filename": "", "text": "x", "attributes": {"filename": "g01_trace.md"}}
    bare = {"filename": "g01_trace.md", "text": "x"}
    marked = {"filename": "", "text": "x", "attributes": {"group": "g01", "filename": "g02_trace.md"}}
    body = {"status": "completed", "output": [{"type": "file_search_call", "results": [shown, bare, marked]}]}
    for passage in responses_api.read(body).passages:
        assert passage.is_of("g01")
        assert not passage.is_of("g02")

from __future__ import annotations

from typing import Any

import pytest

from pytest_refinery.analysts.model import service_errors
from pytest_refinery.analysts.model.service_errors import (
    AccountRejected,
    ContextOverflow,
    ErrorDetails,
    RequestRejected,
    ServiceError,
    TransientError,
    UnknownModel,
    UnsupportedParameter,
)


@pytest.mark.parametrize(
    ("message", "limit"),
    [
        ("This model's maximum context length is 4096 tokens. However, you requested 5000 tokens", 4_096),
        ("request (2059 tokens) exceeds the available context size (1024 tokens), try increasing it", 1_024),
        ("prompt is too long: 210000 tokens > 200000 maximum", 200_000),
        ("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", 1_048_576),
        ("Prompt contains 40000 tokens, too large for model with 32768 maximum context length", 32_768),
        ("the request exceeds the available context size. try increasing the context size", None),
    ],
)
def test_a_context_overflow_is_known_in_the_words_of_many(message: str, limit: int | None) -> None:
    found = service_errors.read(ErrorDetails(400, message))
    assert isinstance(found, ContextOverflow)
    assert found.limit == limit
    assert "--refinery-group-tokens" in str(found)


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (404, "The model `gpt-x` does not exist or you do not have access to it.", "model_not_found"),
        (404, "The model `gpt-x` does not exist.", ""),
        (404, 'model "gpt-x" not found, try pulling it first', ""),
        (404, "The API deployment for this resource does not exist.", "DeploymentNotFound"),
        (400, "/chat/completions: Invalid model name passed in model=gpt-x. Call `/v1/models`", "400"),
        (400, "gpt-x is not a valid model ID", "400"),
    ],
)
def test_an_unknown_model_is_known_in_the_words_of_many(status: int, message: str, code: str) -> None:
    assert isinstance(service_errors.read(ErrorDetails(status, message, code)), UnknownModel)


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (401, "", AccountRejected, "Set OPENAI_API_KEY"),
        (402, "", AccountRejected, "Add credit"),
        (400, "content_filter", RequestRejected, "content filter"),
        (400, "", UnsupportedParameter, "did not accept the request"),
        (422, "", UnsupportedParameter, "did not accept the request"),
        (500, "", TransientError, "failed"),
    ],
)
def test_an_error_says_what_helps(status: int, code: str, kind: type[ServiceError], words: str) -> None:
    found = service_errors.read(ErrorDetails(status, "Something", code))
    assert type(found) is kind
    assert words in str(found)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"message": "No."}, "No."),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": [{"loc": ["body", "store"], "msg": "Extra inputs are not permitted"}]}, "body.store: Extra inputs"),
        ({"error": "model 'm' not found"}, "model 'm' not found"),
        ({"error": {"message": "No slot."}}, "No slot."),
        ("<html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>", "502 Bad Gateway"),
        ("<p>It is down.</p>\n<p>Really.</p>", "It is down."),
        ("upstream connect error\nreset", "upstream connect error"),
        (None, ""),
        ({}, ""),
        ([], ""),
    ],
)
def test_what_a_service_says_is_found_in_any_form(body: Any, sentence: str) -> None:  # noqa: ANN401  (any JSON)
    assert service_errors.sentence_in(body).startswith(sentence)
    assert bool(service_errors.sentence_in(body)) == bool(sentence)


def test_an_address_is_said_where_it_is_not_the_usual_one() -> None:
    found = service_errors.read(ErrorDetails(500, "Oh", address="http://localhost:1234/v1 (OPENAI_BASE_URL)"))
    assert str(found) == "The service at http://localhost:1234/v1 (OPENAI_BASE_URL) failed (500): Oh."


def test_an_error_that_is_raised_again_is_another_one() -> None:
    first = service_errors.read(ErrorDetails(401, "No"))
    again = first.again()
    assert (type(again), str(again), again.details) == (type(first), str(first), first.details)
    assert again is not first

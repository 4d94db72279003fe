from __future__ import annotations

import pytest

from pytest_refinery import rate_limit_headers
from pytest_refinery.rate_limit_headers import Observation, Refusal

TPM = (
    "Rate limit reached for gpt-5-mini in organization org-1 on tokens per min (TPM): Limit 30000, Used 30000, "
    "Requested 663. Please try again in 1.326s."
)
RPM = "Rate limit reached for m on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s."
TOO_LARGE = "Request too large for gpt-5-mini on tokens per min (TPM): Limit 30000, Requested 76503."


def test_a_refusal_names_the_wait_the_limit_and_what_was_requested() -> None:
    found = rate_limit_headers.refusal({}, TPM, "rate_limit_exceeded")
    assert found == Refusal(is_final=False, retry_after=1.326, limit=30_000, requested=663)


def test_a_limit_of_requests_is_not_taken_for_one_of_tokens() -> None:
    assert rate_limit_headers.refusal({}, RPM, "rate_limit_exceeded") == Refusal(is_final=False, retry_after=20.0)


def test_the_sentence_is_more_exact_than_the_header() -> None:
    assert rate_limit_headers.refusal({"retry-after": "2"}, TPM, "").retry_after == 1.326


def test_a_proxy_that_says_only_the_window_is_obeyed() -> None:
    found = rate_limit_headers.refusal({"retry-after": "60"}, "Max parallel request limit reached", "429")
    assert found == Refusal(is_final=False, retry_after=60.0)


def test_a_proxy_that_says_nothing_is_understood_as_saying_nothing() -> None:
    assert rate_limit_headers.refusal({}, "No deployments available", "429") == Refusal(is_final=False)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (TOO_LARGE, "rate_limit_exceeded"),
        ("You exceeded your current quota, please ...", ""),
        ("", "insufficient_quota"),
    ],
)
def test_some_refusals_are_final(message: str, code: str) -> None:
    assert rate_limit_headers.refusal({"retry-after": "1"}, message, code).is_final


def test_a_refusal_of_one_too_large_names_the_limit() -> None:
    found = rate_limit_headers.refusal({}, TOO_LARGE, "rate_limit_exceeded")
    assert (found.limit, found.requested) == (30_000, 76_503)


def test_headers_say_the_limits_and_what_remains() -> None:
    headers = {
        "X-RateLimit-Limit-Tokens": "30000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-tokens": "1m0s",
    }
    assert rate_limit_headers.observation(headers) == Observation(30_000, 0, 500, 499)


@pytest.mark.parametrize("text", ["0", "-1", "", "many", "1.5", "٣"])
def test_a_limit_that_is_none_is_not_learned(text: str) -> None:
    assert rate_limit_headers.observation({"x-ratelimit-limit-tokens": text}) == Observation()


@pytest.mark.parametrize(
    ("headers", "limit", "remaining"),
    [
        ({"x-ratelimit-api_key-limit-tokens": "20000", "x-ratelimit-api_key-remaining-tokens": "0"}, 20_000, 0),
        ({"x-litellm-key-tpm-limit": "60000", "x-litellm-key-rpm-limit": "None"}, 60_000, None),
        ({"x-litellm-key-tpm-limit": "None"}, None, None),
        ({"x-ratelimit-limit-tokens": "30000", "x-litellm-key-tpm-limit": "60000"}, 30_000, None),
    ],
)
def test_the_headers_of_a_litellm_proxy_are_read(
    headers: dict[str, str], limit: int | None, remaining: int | None
) -> None:
    found = rate_limit_headers.observation(headers)
    assert (found.limit_tokens, found.remaining_tokens, found.limit_requests) == (limit, remaining, None)


@pytest.mark.parametrize(("kind", "limit"), [("tokens", 20_000), ("requests", None)])
def test_a_limit_that_a_litellm_proxy_names_in_a_429_is_read(kind: str, limit: int | None) -> None:
    message = f"Rate limit exceeded for api_key: ab12. Limit type: {kind}. Current limit: 20000, Remaining: 0."
    assert rate_limit_headers.refusal({}, message, "429").limit == limit

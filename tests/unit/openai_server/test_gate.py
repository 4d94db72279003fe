from __future__ import annotations

import json
from typing import Any

import pytest

from tests.data_paths import require
from tests.openai_server.clock import SetClock
from tests.openai_server.gate import Gate, refusal
from tests.openai_server.messages import ServiceError
from tests.openai_server.terms import Terms


def recorded(kind: str) -> dict[str, Any]:
    """Return the error of an observed 429, with this server's organisation."""
    lines = require("cassettes", "openai-errors", "real_error_bodies.jsonl").read_text().splitlines()
    found = next(entry for entry in map(json.loads, lines) if entry["kind"].startswith(kind))
    error: dict[str, Any] = found["body"]["error"]
    return error | {"message": error["message"].replace("org-***", "org-loopback")}


def made(amount: int, *, used: int, wait: float) -> dict[str, Any]:
    error: dict[str, Any] = refusal(
        "tokens", "gpt-4o", amount, limit=30_000, used=used, wait=wait, headers=None
    ).answer.body["error"]
    return error


def test_refusals_read_as_the_service_wrote_them() -> None:
    assert made(663, used=30_000, wait=1.326) == recorded("TPM")
    assert made(14_655, used=15_532, wait=0.374) == recorded("TPM sub-second wait")
    assert made(76_503, used=0, wait=0) == recorded("TPM single request larger")


def test_a_request_that_does_not_fit_is_told_when_it_will() -> None:
    clock = SetClock()
    gate = Gate(Terms(tpm=30_000, clock=clock))
    gate.enter("gpt-4o", 30_000)
    with pytest.raises(ServiceError, match=r"Used 30000, Requested 663\. Please try again in 1\.326s\.") as refused:
        gate.enter("gpt-4o", 663)
    assert refused.value.answer.status == 429
    assert refused.value.answer.headers == {
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "1m0s",
        "retry-after": "2",
        "retry-after-ms": "1326",
    }
    clock.sleep(1.326)
    gate.enter("gpt-4o", 663)


def test_a_request_larger_than_the_limit_is_never_let_in() -> None:
    gate = Gate(Terms(tpm=30_000, tpm_model="sliding", clock=SetClock()))
    with pytest.raises(ServiceError, match=r"Request too large .* Limit 30000, Requested 76503\.") as refused:
        gate.enter("gpt-4o", 76_503)
    assert "retry-after" not in refused.value.answer.headers


def test_refused_requests_count_as_requests_and_not_as_tokens() -> None:
    clock = SetClock()
    gate = Gate(Terms(tpm=100, rpm=2, tpm_model="sliding", clock=clock))
    with pytest.raises(ServiceError, match="Request too large"):
        gate.enter("gpt-4o", 101)
    gate.enter("gpt-4o", 100)
    with pytest.raises(ServiceError, match=r"requests per min \(RPM\): Limit 2, Used 2, Requested 1\.") as refused:
        gate.enter("gpt-4o", 1)
    assert refused.value.answer.body["error"]["type"] == "requests"
    assert gate.charged() == 100


def test_each_model_has_limits_of_its_own() -> None:
    gate = Gate(Terms(tpm=100, clock=SetClock()))
    gate.enter("gpt-4o", 100)
    gate.enter("gpt-4.1", 100)
    assert gate.charged() == 200
    assert gate.most_in_any_minute() == 100


def test_a_minute_can_be_made_shorter() -> None:
    clock = SetClock()
    gate = Gate(Terms(tpm=100, minute_seconds=6.0, clock=clock))
    gate.enter("gpt-4o", 100)
    with pytest.raises(ServiceError, match=r"try again in 3s"):
        gate.enter("gpt-4o", 50)
    clock.sleep(3)
    gate.enter("gpt-4o", 50)


def test_the_limits_can_be_kept_to_oneself() -> None:
    gate = Gate(Terms(tpm=100, rate_limit_headers="never", clock=SetClock()))
    gate.enter("gpt-4o", 100)
    assert gate.headers("gpt-4o") == {}
    with pytest.raises(ServiceError) as refused:
        gate.enter("gpt-4o", 100)
    assert refused.value.answer.headers == {}


def test_answers_can_tell_the_limits_and_refusals_not() -> None:
    gate = Gate(Terms(rpm=1, rate_limit_headers="success", clock=SetClock()))
    gate.enter("gpt-4o", 100)
    assert gate.headers("gpt-4o")["x-ratelimit-remaining-requests"] == "0"
    with pytest.raises(ServiceError) as refused:
        gate.enter("gpt-4o", 100)
    assert refused.value.answer.headers == {}

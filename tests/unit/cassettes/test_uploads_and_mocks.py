"""What is left to tracers and to mocks."""

from __future__ import annotations

import httpcore
import pytest
import respx

from pytest_refinery.cassettes import recorder


@pytest.mark.parametrize(
    "url",
    [
        "https://api.smith.langchain.com/runs/multipart",
        "https://api.smith.langchain.com/runs/batch",
        "https://api.smith.langchain.com/runs",
        "https://eu.api.smith.langchain.com/api/v1/runs/multipart",
        "https://api.smith.langchain.com/otel/v1/traces",
        "http://localhost:4318/v1/traces",
        "http://localhost:4318/v1/metrics",
    ],
)
def test_what_tracers_send_is_an_upload(url: str) -> None:
    assert recorder.is_an_upload("POST", url)
    assert not recorder.is_an_upload("GET", url)


def test_a_langsmith_of_ones_own_is_known_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://traces.example.org/api/v1/runs/batch"
    assert not recorder.is_an_upload("POST", url)
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "https://traces.example.org/api/v1")
    assert recorder.is_an_upload("POST", url)


def test_the_end_of_a_run_is_an_upload() -> None:
    assert recorder.is_an_upload("PATCH", "https://api.smith.langchain.com/runs/8f2a6f1e-6a3d-4f0f-9a52-0123456789ab")


@pytest.mark.parametrize(
    "url",
    [
        "https://api.smith.langchain.com/api/v2/runs/query",
        "https://api.smith.langchain.com/api/v1/runs/query",
        "https://api.openai.com/v1/responses",
        "https://api.openai.com/v1/threads/thread_1/runs",
        "https://example.org/v1/traces-of-deer",
        "https://example.org/v1/logs",
        "http://localhost:2024/runs",
        "http://localhost:2024/runs/batch",
    ],
)
def test_what_is_asked_is_none(url: str) -> None:
    assert not recorder.is_an_upload("POST", url)


def test_respx_is_noticed_while_it_is_there() -> None:
    assert not recorder.is_mocked("httpcore")
    with respx.mock():
        assert recorder.is_mocked("httpcore")
    assert not recorder.is_mocked("httpcore")


def test_any_other_function_in_its_place_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpcore.AsyncConnectionPool, "handle_async_request", lambda *_: None)
    assert recorder.is_mocked("httpcore")


def test_a_library_that_is_not_loaded_is_not_mocked() -> None:
    assert not recorder.is_mocked("no_such_library")

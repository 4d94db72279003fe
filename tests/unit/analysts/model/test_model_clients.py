from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.analysis.ports import ModelAnswer
from pytest_refinery.analysts.model import chat_api, service_errors
from pytest_refinery.analysts.model.model_clients import OfferedClient, OpenAIProtocols
from pytest_refinery.analysts.model.models import Parameter, abilities
from pytest_refinery.analysts.model.queries import Search, filters_for
from pytest_refinery.analysts.model.replies import Answered, Usage
from pytest_refinery.analysts.model.service_errors import (
    ErrorDetails,
    NotFound,
    RateLimited,
    RequestRejected,
    ServiceError,
    StoreNotFound,
    TransientError,
    UnknownModel,
)
from tests.unit.analysts.model.fakes import OK, OpenJob, make_query

if TYPE_CHECKING:
    from collections.abc import Mapping

CHAT_OK: dict[str, Any] = {
    "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": '{"findings": []}'}}],
    "usage": {"prompt_tokens": 90, "completion_tokens": 9},
}
PLAIN, THINKS = abilities("our-own-model"), abilities("gpt-6-luna")


def error(status: int, message: str = "Not Found", **more: Any) -> ServiceError:  # noqa: ANN401  (of ErrorDetails)
    return service_errors.read(ErrorDetails(status, message, **more))


@dataclass
class ScriptedProtocols:
    """A service whose protocols answer, or raise, what they are given."""

    responses: dict[str, Any] | Exception
    chat: dict[str, Any] | Exception = field(default_factory=lambda: CHAT_OK)
    asked: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)

    def load(self, api: str) -> None:
        self.loaded.append(api)

    def respond(self, request: Mapping[str, object], *, timeout: float) -> Answered:
        return self._answer("responses", self.responses)

    def complete(self, request: Mapping[str, object], *, timeout: float) -> Answered:
        return self._answer("chat", self.chat)

    def _answer(self, protocol: str, answer: dict[str, Any] | Exception) -> Answered:
        self.asked.append(protocol)
        if isinstance(answer, Exception):
            raise answer
        return Answered(answer, {"x": "y"})

    def models(self) -> list[str]:
        return []


def ask(service: ScriptedProtocols, api: str = "auto", *, times: int = 1) -> OpenJob:
    job, client = OpenJob(), OpenAIProtocols(lambda: service, api)
    for _ in range(times):
        assert client.ask(make_query(), PLAIN, job, timeout=1.0).reply.text == '{"findings": []}'
    return job


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_service_without_responses_is_asked_over_chat_from_then_on(status: int) -> None:
    service = ScriptedProtocols(error(status))
    job = ask(service, times=3)
    assert service.asked == ["responses", "chat", "chat", "chat"]
    assert job.notes == ["The service has no Responses API: it was asked over Chat Completions (--refinery-api chat)."]


def test_a_service_that_has_answered_is_not_left_for_the_other_protocol() -> None:
    service = ScriptedProtocols(OK)
    client = OpenAIProtocols(lambda: service)
    client.ask(make_query(), PLAIN, OpenJob(), timeout=1.0)
    service.responses = error(404)
    with pytest.raises(NotFound):
        client.ask(make_query(), PLAIN, OpenJob(), timeout=1.0)
    assert service.asked == ["responses", "responses"]


@pytest.mark.parametrize(("api", "asked"), [("chat", ["chat"]), ("responses", ["responses"])])
def test_the_user_can_say_which_protocol(api: str, asked: list[str]) -> None:
    service = ScriptedProtocols(OK)
    ask(service, api)
    assert service.asked == asked


def test_before_it_is_asked_what_it_needs_is_loaded() -> None:
    service = ScriptedProtocols(error(404))
    client = OpenAIProtocols(lambda: service)
    client.connect()
    client.ask(make_query(), PLAIN, OpenJob(), timeout=1.0)
    client.connect()
    assert service.loaded == ["responses", "chat"]


def test_where_both_are_missing_the_address_is_wrong() -> None:
    address = "http://localhost:8080 (OPENAI_BASE_URL)"
    service = ScriptedProtocols(error(404, address=address), error(404, address=address))
    with pytest.raises(NotFound, match=r"try OPENAI_BASE_URL=http://localhost:8080/v1\."):
        ask(service)


def test_an_unknown_model_is_no_missing_protocol() -> None:
    service = ScriptedProtocols(error(404, "model 'm' not found"))
    with pytest.raises(UnknownModel):
        ask(service)
    assert service.asked == ["responses"]


def test_chat_has_no_file_search() -> None:
    query = make_query().__class__(
        **{**vars(make_query()), "search": Search("vs_1", filters_for(group="g01"), most=2, tokens=10)}
    )
    with pytest.raises(StoreNotFound):
        OpenAIProtocols(lambda: ScriptedProtocols(OK), "chat").ask(query, PLAIN, OpenJob(), timeout=1.0)


def test_a_question_as_a_chat() -> None:
    body = chat_api.body(make_query(), PLAIN)
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Read it."},
    ]
    assert (body["max_tokens"], body["temperature"]) == (500, 0.2)
    assert body["response_format"]["json_schema"]["strict"] is True
    assert "reasoning_effort" not in body


def test_a_model_that_thinks_is_asked_with_the_new_name_of_the_limit() -> None:
    body = chat_api.body(make_query(), THINKS)
    assert (body["max_completion_tokens"], body["reasoning_effort"]) == (2_500, "low")
    assert not {"temperature", "max_tokens"} & set(body)


@pytest.mark.parametrize(
    ("said", "parameter"),
    [
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", Parameter.OUTPUT_LIMIT),
        ("This model does not support response_format type json_schema", Parameter.JSON_SCHEMA),
        (
            "litellm.UnsupportedParamsError: anthropic does not support parameters: ['temperature']",
            Parameter.TEMPERATURE,
        ),
        ("body.store: Extra inputs are not permitted", Parameter.STORE),
        ("prompt_cache_key: Extra inputs are not permitted", Parameter.CACHE_KEY),
    ],
)
def test_a_parameter_is_dropped_that_the_text_of_an_error_names(said: str, parameter: Parameter) -> None:
    found = PLAIN.without(ErrorDetails(400, said))
    assert found is not None
    assert found[1] is parameter
    again = found[0].without(ErrorDetails(400, said))
    assert again is None or again[1] is not parameter


def test_a_text_that_only_uses_such_a_word_names_no_parameter() -> None:
    assert PLAIN.without(ErrorDetails(400, "We could not store the text that you include.")) is None


def test_what_is_asked_for_goes_from_a_schema_to_an_object_to_words() -> None:
    refusal, known, shown = ErrorDetails(400, "Unknown field", param="response_format"), PLAIN, []
    for _ in range(3):
        body = chat_api.body(make_query(), known)
        shown.append((body.get("response_format", {}).get("type"), "JSON Schema" in body["messages"][1]["content"]))
        found = known.without(refusal)
        known = found[0] if found else known
    assert shown == [("json_schema", False), ("json_object", True), (None, True)]
    assert known.without(refusal) is None


@pytest.mark.parametrize(
    ("choice", "text", "cut_off_by"),
    [
        ({"finish_reason": "length", "message": {"content": "{"}}, "{", "max_output_tokens"),
        ({"finish_reason": "content_filter", "message": {"content": None}}, "", "content_filter"),
        ({"message": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}, "ab", ""),
    ],
)
def test_a_completion_is_read(choice: dict[str, Any], text: str, cut_off_by: str) -> None:
    reply = chat_api.read({"choices": [choice]})
    assert (reply.text, reply.cut_off_by, reply.usage) == (text, cut_off_by, None)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"error": {"code": 429, "message": "Slow down"}}, RateLimited),
        ({"error": {"code": 502, "message": "Provider returned error"}}, TransientError),
        ({"error": "no slot"}, TransientError),
        ({"choices": []}, TransientError),
        ({}, TransientError),
    ],
)
def test_an_error_that_comes_as_a_success_is_one(answer: dict[str, Any], kind: type[ServiceError]) -> None:
    with pytest.raises(kind):
        chat_api.read(answer)


class HttpError(Exception):
    def __init__(self, status_code: int) -> None:
        super().__init__("from the provider")
        self.status_code = status_code


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (HttpError(429), RateLimited),
        (HttpError(503), TransientError),
        (TimeoutError("late"), TransientError),
        (ValueError("odd"), RequestRejected),
    ],
)
def test_what_an_offered_client_raises_is_read(raised: Exception, kind: type[ServiceError]) -> None:
    class Client:
        def ask(self, **_: object) -> ModelAnswer:
            raise raised

    with pytest.raises(kind):
        OfferedClient(Client()).ask(make_query(), PLAIN, OpenJob(), timeout=1.0)


def test_an_offered_client_gets_the_question_and_its_answer_is_read() -> None:
    class Client:
        def ask(self, **question: object) -> ModelAnswer:
            assert (question["instructions"], question["input"], question["timeout"]) == ("Be brief.", "Read it.", 1.0)
            return ModelAnswer('{"findings": []}', input_tokens=7, output_tokens=3, is_cut_off=True)

    reply = OfferedClient(Client()).ask(make_query(), PLAIN, OpenJob(), timeout=1.0).reply
    assert (reply.usage, reply.cut_off_by) == (Usage(7, 3), "max_output_tokens")

"""What can go wrong, on demand.

A fault stands between a request and its handler: it may answer instead of it, or change the answer.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tests.openai_server import gate
from tests.openai_server.messages import Answer, JsonObject, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

Proceed = Callable[[Request], Answer]

_RESPONSES = "/responses"
_ANYWHERE = "*"
_HEADERS = {
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-tokens": "0",
    "x-ratelimit-reset-tokens": "1m0s",
}


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        act: Gets the request and what would have answered it, and returns the answer.
        path: Where it happens unless told otherwise, as a file name pattern.
        befalls: Which requests on that path it is meant for.
    """

    name: str
    act: Callable[[Request, Proceed], Answer]
    path: str = _RESPONSES
    method: str = "POST"
    befalls: Callable[[Request], bool] = lambda _: True


@dataclass
class _Script:
    """A fault and when it happens."""

    fault: Fault
    path: str
    nth: int
    times: int | None
    when: Callable[[Request], bool]
    seen: int = 0

    def takes(self, request: Request) -> bool:
        """Tell whether the fault befalls this request, and count it."""
        if not self._concerns(request):
            return False
        self.seen += 1
        return self.seen >= self.nth and (self.times is None or self.seen < self.nth + self.times)

    def _concerns(self, request: Request) -> bool:
        is_method = self.fault.method in {_ANYWHERE, request.method}
        is_there = is_method and fnmatch(request.path, self.path)
        return is_there and self.fault.befalls(request) and self.when(request)


@dataclass
class Faults:
    """The scripted faults of a server."""

    _scripts: list[_Script] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self,
        fault: Fault,
        *,
        path: str | None = None,
        nth: int = 1,
        times: int | None = 1,
        when: Callable[[Request], bool] = lambda _: True,
    ) -> None:
        """Let ``fault`` happen.

        Args:
            fault: One of this module's, or your own.
            path: Where, as a file name pattern: ``/vector_stores/*``; the fault's own path if not given.
            nth: From which of the requests there on, counted from now.
            times: How often, ``None`` for ever.
            when: Which requests are meant.
        """
        with self._lock:
            self._scripts.append(_Script(fault, path or fault.path, nth, times, when))

    def clear(self) -> None:
        """Let nothing more go wrong."""
        with self._lock:
            self._scripts.clear()

    def befalling(self, request: Request) -> Fault | None:
        """Return the fault for this request, the earliest added of those that take it."""
        with self._lock:
            taken = [script.fault for script in self._scripts if script.takes(request)]
        return taken[0] if taken else None


def error(
    status: int,
    message: str,
    *,
    kind: str | None = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
    path: str = _RESPONSES,
) -> Fault:
    """Any error in the service's form, for requests of any method on ``path``."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return _instead(f"error_{status}", Answer(body, status, headers or {}), path=path, method=_ANYWHERE)


def rate_limited(*, wait: float = 1.326, headers: bool = True, model: str = "gpt-4o") -> Fault:
    """A 429 on tokens per minute that ends after ``wait`` seconds; the service was also seen to send no headers."""
    shown = dict(_HEADERS) if headers else None
    refused = gate.refusal("tokens", model, 663, limit=30_000, used=30_000, wait=wait, headers=shown)
    return _instead("rate_limited", refused.answer)


def request_too_large(*, requested: int = 76_503, model: str = "gpt-4o") -> Fault:
    """The 429 that no waiting helps."""
    refused = gate.refusal("tokens", model, requested, limit=30_000, used=0, wait=0, headers=dict(_HEADERS))
    return _instead("request_too_large", refused.answer)


def litellm_limited(*, window: float = 60.0, headers: bool = True) -> Fault:
    """A 429 as the LiteLLM proxy sends it: for a key it says to wait the whole window, for a deployment nothing."""
    message = "Rate limit exceeded for api_key. Limit type: tokens. Current limit: 30000, Remaining: 0"
    told = {"retry-after": str(int(window)), "rate_limit_type": "tokens"} if headers else {}
    return error(429, message, kind="throttling_error", code="429", headers=told)


def insufficient_quota() -> Fault:
    """The 429 of an account without money."""
    message = (
        "You exceeded your current quota, please check your plan and billing details. For more information on this "
        "error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
    )
    return error(429, message, kind="insufficient_quota", code="insufficient_quota")


def invalid_key(path: str = _ANYWHERE) -> Fault:
    """The 401 of a wrong key."""
    message = "Incorrect API key provided: sk-****. You can find your API key at https://platform.openai.com/account/api-keys."
    return error(401, message, code="invalid_api_key", path=path)


def unknown_model(model: str = "gpt-4o") -> Fault:
    """The 404 of a model that does not exist."""
    return error(404, f"The model `{model}` does not exist or you do not have access to it.", code="model_not_found")


def refused_temperature(*, code: str | None = "unsupported_parameter") -> Fault:
    """The 400 of a model that accepts no temperature, for every request that has one."""
    message = "Unsupported parameter: 'temperature' is not supported with this model."
    return replace(error(400, message, code=code, param="temperature"), befalls=lambda sent: "temperature" in sent.body)


def refused_expiry() -> Fault:
    """An organisation's policy that lets nothing expire, for every request that asks for it."""
    message = "Your organization's data retention policy does not permit 'expires_after'."
    fault = error(400, message, param="expires_after", code="invalid_value", path=_ANYWHERE)
    return replace(fault, befalls=lambda sent: "expires_after" in sent.body)


def server_error(status: int = 500, path: str = _RESPONSES) -> Fault:
    """An error of the service itself."""
    message = "The server had an error while processing your request. Sorry about that!"
    return error(status, message, kind="server_error", path=path)


def vanished_store() -> Fault:
    """A vector store that is no longer there when a response wants to search it."""
    return error(404, "Vector store with id 'vs_gone' not found.", param="vector_store_ids")


def cut_connection(after: float = 0.5, path: str = _RESPONSES, method: str = "POST") -> Fault:
    """A connection that ends after this share of the body."""
    return Fault("cut_connection", lambda sent, go: replace(go(sent), cut_after=after), path=path, method=method)


def stalled(path: str = _RESPONSES, method: str = "POST") -> Fault:
    """An answer that does not come as long as the server runs."""
    silent = Answer({}, is_stalled=True)
    return _instead("stalled", silent, path=path, method=method)


def incomplete(share: float = 0.5) -> Fault:
    """An answer that stops in the middle, for want of output tokens."""
    details = {"reason": "max_output_tokens"}
    cut = _written(lambda text: text[: int(len(text) * share)])
    return _changed("incomplete", lambda body: cut(body) | {"status": "incomplete", "incomplete_details": details})


def failed(code: str = "rate_limit_exceeded", message: str = "Rate limit reached.") -> Fault:
    """A 200 whose status is ``failed``; the other code seen is ``vector_store_timeout``."""
    problem = {"code": code, "message": message}
    return _changed("failed", lambda body: body | {"status": "failed", "output": [], "error": problem})


def refusal(text: str = "I'm sorry, I can't help with that.") -> Fault:
    """A model that refuses to answer."""
    part = {"type": "refusal", "refusal": text}
    return _changed("refusal", lambda body: _with_content(body, lambda _: part))


def not_the_schema(text: str = "Certainly! Here is the analysis you asked for.") -> Fault:
    """An answer that is no JSON."""
    return _changed("not_the_schema", _written(lambda _: text))


def unknown_runs(number: int = 9_999) -> Fault:
    """An answer whose runs do not exist."""
    return _changed("unknown_runs", _written(lambda text: _with_values(text, "run", number)))


def unknown_quotes(quote: str = "These words stand nowhere in the trace.") -> Fault:
    """An answer whose quotes stand nowhere."""
    return _changed("unknown_quotes", _written(lambda text: _with_values(text, "quote", quote)))


def page(text: str, status: int = 502, path: str = _RESPONSES) -> Fault:
    """A page, as proxies send it, or any other text that is no JSON."""
    return _instead("page", Answer({}, status, {"content-type": "text/html"}, page=text), path=path)


def body(found: JsonObject, status: int = 400, path: str = _RESPONSES) -> Fault:
    """Any JSON: services and gateways have error forms of their own."""
    return _instead("body", Answer(found, status), path=path)


def refused_parameter(name: str, refused: Fault) -> Fault:
    """A refusal of every request that has the parameter."""
    return replace(refused, befalls=lambda sent: name in sent.body)


def rewritten(change: Callable[[str], str]) -> Fault:
    """An answer whose text the model writes in another way."""
    return _changed("rewritten", _written(change))


def without_usage() -> Fault:
    """An answer that does not say what it cost."""
    return _changed("without_usage", lambda body: {key: value for key, value in body.items() if key != "usage"})


def silently_cut(share: float = 0.5) -> Fault:
    """An answer that stops in the middle and says that it is complete; only its usage shows it."""
    cut = _written(lambda text: text[: int(len(text) * share)])

    def act(sent: Request, go: Proceed) -> Answer:
        answer = go(sent)
        usage = {**answer.body["usage"], "output_tokens": sent.body["max_output_tokens"]}
        return replace(answer, body=cut(answer.body) | {"usage": usage})

    return Fault("silently_cut", act)


def ignored_files() -> Fault:
    """A server that says a batch with ``files`` is done and has put nothing into the store, as OGX does."""

    def act(sent: Request, go: Proceed) -> Answer:
        answer = go(replace(sent, body={"file_ids": []}))
        return replace(answer, body=answer.body | {"status": "completed"})

    path = "/vector_stores/*/file_batches"
    return Fault("ignored_files", act, path=path, befalls=lambda sent: "files" in sent.body)


def document_ids() -> Fault:
    """A server whose results name documents of its own, the file only among the attributes, as OGX does."""
    return _changed("document_ids", lambda body: body | {"output": [_with_documents(item) for item in body["output"]]})


def _instead(name: str, answer: Answer, *, path: str = _RESPONSES, method: str = "POST") -> Fault:
    return Fault(name, lambda _sent, _go: answer, path=path, method=method)


def _changed(name: str, change: Callable[[JsonObject], JsonObject]) -> Fault:
    """Return a fault that changes an answer that would have been good."""

    def act(sent: Request, go: Proceed) -> Answer:
        answer = go(sent)
        is_good = answer.status == HTTPStatus.OK
        return replace(answer, body=change(answer.body)) if is_good else answer

    return Fault(name, act)


def _written(change: Callable[[str], str]) -> Callable[[JsonObject], JsonObject]:
    return lambda body: _with_content(body, lambda part: part | {"text": change(part["text"])})


def _with_content(body: JsonObject, change: Callable[[JsonObject], JsonObject]) -> JsonObject:
    def changed(item: JsonObject) -> JsonObject:
        is_message = item["type"] == "message"
        return item | {"content": [change(part) for part in item["content"]]} if is_message else item

    return body | {"output": [changed(item) for item in body["output"]]}


def _with_values(text: str, name: str, value: float | str) -> str:
    return json.dumps(_replaced(json.loads(text), name, value))


def _replaced(found: Any, name: str, value: float | str) -> Any:  # noqa: ANN401  (any JSON)
    if isinstance(found, list):
        return [_replaced(item, name, value) for item in found]
    if not isinstance(found, dict):
        return found
    return {
        key: _like(item, value) if name in key and _is_plain(item) else _replaced(item, name, value)
        for key, item in found.items()
    }


def _is_plain(item: object) -> bool:
    """Tell whether there are no objects in it, whose own fields say what they are."""
    return not isinstance(item, dict) and not (isinstance(item, list) and any(isinstance(one, dict) for one in item))


def _like(old: object, new: float | str) -> object:
    if isinstance(old, list):
        return [_like(item, new) for item in old]
    return None if old is None else type(old)(new)  # type: ignore[call-arg]


def _with_documents(item: JsonObject) -> JsonObject:
    if item["type"] != "file_search_call" or item["results"] is None:
        return item
    return item | {"results": [_as_document(result, index) for index, result in enumerate(item["results"])]}


def _as_document(result: JsonObject, index: int) -> JsonObject:
    real = {"file_id": result["file_id"], "filename": result["filename"]}
    return result | {"file_id": f"document-{index}", "filename": "", "attributes": result["attributes"] | real}

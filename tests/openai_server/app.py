"""The service without HTTP: which request goes where, what is checked first, what may go wrong."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from openai.types import VectorStoreCreateParams, VectorStoreSearchParams, VectorStoreUpdateParams
from openai.types.responses import InputTokenCountParams
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from openai.types.vector_stores import FileBatchCreateParams, FileCreateParams

from tests.openai_server import chat, validation
from tests.openai_server.chat import Chat
from tests.openai_server.faults import Faults
from tests.openai_server.files import Files
from tests.openai_server.gate import Gate
from tests.openai_server.journal import Journal
from tests.openai_server.messages import Answer, JsonObject, Request, ServiceError
from tests.openai_server.responses import Responses
from tests.openai_server.specification import problem_for_sdk, specification
from tests.openai_server.vector_stores import VectorStores

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.openai_server.terms import Terms

_STORE = "/vector_stores/{vector_store_id}"
_BATCH = f"{_STORE}/file_batches/{{batch_id}}"


@dataclass(frozen=True)
class Route:
    """A kind of request.

    Attributes:
        path: As the specification writes it.
        answer: Gets the request and the parts of the path in braces.
        rule: Refuses what the service would refuse.
        params: The SDK's typed parameters.
    """

    method: str
    path: str
    answer: Callable[..., JsonObject | Answer]
    rule: Callable[[JsonObject], None] | None = None
    params: Any = None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What paths of this kind look like."""
        return re.compile(re.sub(r"\{\w+\}", "([^/]+)", self.path))


class App:
    """The service; may be called from any thread."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._lock = threading.Lock()
        self.gate = Gate(terms)
        self.files = Files(terms)
        self.stores = VectorStores(terms, self.files)
        self.responses = Responses(terms, self.stores, self.gate, self._lock)
        self.chat = Chat(self.responses)
        self.faults = Faults()
        self.journal = Journal()
        self.routes = self._routes()

    def answer(self, request: Request) -> Answer:
        """Answer a request, and write both down."""
        started = self._terms.clock()
        fault = None
        try:
            route = self._admitted(request)
            fault = self.faults.befalling(request)
            answer = fault.act(request, self._handle(route)) if fault else self._handle(route)(request)
        except ServiceError as error:
            answer = error.answer
        except Exception as error:  # noqa: BLE001  (a mistake in here or in a brain has to be seen by the test)
            answer = ServiceError(f"The test's own server failed: {error!r}", status=500, kind="server_error").answer
        name = fault.name if fault else None
        self.journal.add(request, answer, started=started, ended=self._terms.clock(), fault=name)
        return answer

    def route_of(self, request: Request) -> Route | None:
        """Return the kind of a request, ``None`` where there is no such."""
        return next((route for route in self.routes if _is_of(request, route)), None)

    def _admitted(self, request: Request) -> Route:
        self._refuse_stranger(request.key)
        route = self.route_of(request)
        if route is None or request.path in self._terms.missing:
            raise ServiceError(f"Invalid URL ({request.method} /v1{request.path})", status=404)
        if route.rule is not None:
            _refuse_wrong(route, route.rule, request.body)
        return route

    def _refuse_stranger(self, key: str | None) -> None:
        if key is None:
            message = (
                "You didn't provide an API key. You need to provide your API key in an Authorization header using "
                "Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            )
            raise ServiceError(message, status=401)
        if self._terms.api_keys is not None and key not in self._terms.api_keys:
            message = (
                "Incorrect API key provided: ****. You can find your API key at "
                "https://platform.openai.com/account/api-keys."
            )
            raise ServiceError(message, code="invalid_api_key", status=401)

    def _handle(self, route: Route) -> Callable[[Request], Answer]:
        def handle(request: Request) -> Answer:
            found = route.pattern.fullmatch(request.path)
            parts = found.groups() if found else ()
            try:
                given = self._guarded(route, request, parts)
            except ServiceError as error:
                return error.answer
            return given if isinstance(given, Answer) else Answer(given, headers=self._poll_after())

        return handle

    def _guarded(self, route: Route, request: Request, parts: tuple[str, ...]) -> JsonObject | Answer:
        if route.answer in {self.responses.create, self.chat.create}:
            # It takes its time, and many at once.
            return route.answer(request)
        with self._lock:
            return route.answer(request, *parts)

    def _poll_after(self) -> dict[str, str]:
        wait = self._terms.poll_after_ms
        return {} if wait is None else {"openai-poll-after-ms": str(wait)}

    def _routes(self) -> list[Route]:
        files, stores, responses = self.files, self.stores, self.responses
        return [
            Route("POST", "/files", files.create, validation.file),
            Route("GET", "/files", files.listed),
            Route("GET", "/files/{file_id}", files.retrieve),
            Route("DELETE", "/files/{file_id}", files.delete),
            Route("POST", "/vector_stores", stores.create, validation.vector_store, VectorStoreCreateParams),
            Route("GET", "/vector_stores", stores.listed),
            Route("GET", _STORE, stores.retrieve),
            Route("POST", _STORE, stores.update, validation.vector_store, VectorStoreUpdateParams),
            Route("DELETE", _STORE, stores.delete),
            Route("POST", f"{_STORE}/search", stores.search, validation.search, VectorStoreSearchParams),
            Route("POST", f"{_STORE}/files", stores.attach, validation.attached_file, FileCreateParams),
            Route("GET", f"{_STORE}/files", stores.list_files),
            Route("GET", f"{_STORE}/files/{{file_id}}", stores.retrieve_file),
            Route("POST", f"{_STORE}/files/{{file_id}}", stores.update_file, validation.attributes),
            Route("DELETE", f"{_STORE}/files/{{file_id}}", stores.detach),
            Route("POST", f"{_STORE}/file_batches", stores.create_batch, validation.batch, FileBatchCreateParams),
            Route("GET", _BATCH, stores.retrieve_batch),
            Route("POST", f"{_BATCH}/cancel", stores.cancel_batch),
            Route("GET", f"{_BATCH}/files", stores.list_batch_files),
            Route("POST", "/responses", responses.create, validation.response, ResponseCreateParamsNonStreaming),
            Route("POST", "/chat/completions", self.chat.create, chat.check),
            Route("POST", "/responses/input_tokens", responses.count, validation.input_tokens, InputTokenCountParams),
            Route("GET", "/models", self._models),
            Route("GET", "/models/{model}", self._model),
        ]

    def _models(self, _request: Request) -> JsonObject:
        return {"object": "list", "data": [_model_json(name) for name in self._terms.models]}

    def _model(self, _request: Request, name: str) -> JsonObject:
        self.responses.refuse_unknown(name)
        return _model_json(name)


def _is_of(request: Request, route: Route) -> bool:
    return route.method == request.method and route.pattern.fullmatch(request.path) is not None


def _refuse_wrong(route: Route, rule: Callable[[JsonObject], None], body: JsonObject) -> None:
    """Refuse in the service's words where they are known, else in the specification's."""
    if route.params is not None:
        validation.known_parameters(body, validation.parameters_of(route.params))
    rule(body)
    official = specification()
    problem = problem_for_sdk(route.params, body) if route.params is not None else None
    if problem is None and official is not None:
        problem = official.problem_of_request(route.method, route.path, body)
    if problem is not None:
        raise ServiceError(f"Invalid request: {problem}", code="invalid_value")


def _model_json(name: str) -> JsonObject:
    return {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "system"}

"""The ways to a model: the two protocols of OpenAI, and a client that a plugin offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pytest_refinery.analysts.model import chat_api, responses_api, service_errors
from pytest_refinery.analysts.model.replayed_calls import ReplayedCall
from pytest_refinery.analysts.model.replies import Reply, Usage
from pytest_refinery.analysts.model.service_errors import (
    ErrorDetails,
    NotFound,
    RequestRejected,
    ServiceError,
    StoreNotFound,
    TransientError,
    UnknownModel,
)
from pytest_refinery.errors import AnalysisError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_refinery.analysis.ports import Job, ModelClient
    from pytest_refinery.analysts.model.models import Abilities
    from pytest_refinery.analysts.model.queries import Query
    from pytest_refinery.analysts.model.replies import Answered

AUTO, RESPONSES, CHAT = "auto", "responses", "chat"


@dataclass(frozen=True)
class Response:
    """A reply, the headers that came with it, and the seconds since the request was sent, where they are known."""

    reply: Reply
    headers: Mapping[str, str]
    seconds: float | None = None


class Connection(Protocol):
    """Asks a model one question, once."""

    def connect(self) -> None:
        """Load what the first request needs, so that it leaves at once when it is granted; raises ``ServiceError``."""
        ...

    def ask(self, query: Query, abilities: Abilities, job: Job, *, timeout: float) -> Response:
        """Return the answer; raises ``ServiceError``."""
        ...

    def models(self) -> list[str]:
        """Return the names of the models that the service has; raises ``ServiceError``."""
        ...


class Service(Protocol):
    """What is needed of an SDK; each method raises ``ServiceError``."""

    def load(self, api: str) -> None:
        """Load what the SDK would load with the first request over ``responses`` or ``chat``."""
        ...

    def respond(self, request: Mapping[str, object], *, timeout: float) -> Answered:
        """Ask over the Responses API."""
        ...

    def complete(self, request: Mapping[str, object], *, timeout: float) -> Answered:
        """Ask over the Chat Completions API."""
        ...

    def models(self) -> list[str]:
        """Return the names of all models."""
        ...


class OpenAIProtocols:
    """Asks over the Responses API or over Chat Completions.

    Args:
        service: Returns the service, connected.
        api: ``responses``, ``chat``, or ``auto``: the first until the service turns out not to have it.
    """

    def __init__(self, service: Callable[[], Service], api: str = AUTO) -> None:
        self._service = service
        self._api = RESPONSES if api == AUTO else api
        self._may_change = api == AUTO

    def connect(self) -> None:
        """Load the SDK, and what it needs to ask."""
        self._service().load(self._api)

    def ask(self, query: Query, abilities: Abilities, job: Job, *, timeout: float) -> Response:
        """Return the answer."""
        if self._api == CHAT:
            return self._complete(query, abilities, timeout)
        try:
            answered = self._service().respond(responses_api.body(query, abilities), timeout=timeout)
        except NotFound as error:
            if not self._may_change or isinstance(error, UnknownModel | StoreNotFound):
                raise
            response = self._complete(query, abilities, timeout)
            self._remember_chat(job)
            return response
        self._may_change = False
        return Response(responses_api.read(answered.body), answered.headers, answered.seconds)

    def _remember_chat(self, job: Job) -> None:
        if self._may_change:
            job.note("The service has no Responses API: it was asked over Chat Completions (--refinery-api chat).")
        self._api, self._may_change = CHAT, False

    def _complete(self, query: Query, abilities: Abilities, timeout: float) -> Response:
        if query.search is not None:
            msg = "Chat Completions have no file search."
            raise StoreNotFound(msg)
        answered = self._service().complete(chat_api.body(query, abilities), timeout=timeout)
        return Response(chat_api.read(answered.body), answered.headers, answered.seconds)

    def models(self) -> list[str]:
        """Return the names of the models that the service has."""
        return self._service().models()


class OfferedClient:
    """Asks the client that a plugin offers; what it raises is read as an HTTP error where it looks like one."""

    def __init__(self, client: ModelClient) -> None:
        self._client = client

    def connect(self) -> None:
        """Need nothing."""

    def ask(self, query: Query, abilities: Abilities, job: Job, *, timeout: float) -> Response:  # noqa: ARG002
        """Return the answer."""
        if query.search is not None:
            msg = "An offered client has no file search."
            raise StoreNotFound(msg)
        if isinstance(query, ReplayedCall):
            msg = "A client that a plugin offers takes one text, not the messages of a recorded call."
            raise RequestRejected(msg)
        try:
            answer = self._client.ask(
                instructions=query.instructions,
                input=query.shown(abilities),
                schema=query.schema,
                max_output_tokens=query.output_limit(abilities),
                timeout=timeout,
            )
        except AnalysisError:
            raise
        except Exception as error:
            raise _read(error) from error
        known = answer.input_tokens is not None and answer.output_tokens is not None
        usage = Usage(answer.input_tokens or 0, answer.output_tokens or 0) if known else None
        cut_off_by = "max_output_tokens" if answer.is_cut_off else ""
        return Response(Reply(answer.text, cut_off_by=cut_off_by, usage=usage), {})

    def models(self) -> list[str]:
        """Return no names: no one knows them."""
        return []


def _read(error: Exception) -> ServiceError:
    sentence = f"The model's client failed: {type(error).__name__}: {error}"
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
        return service_errors.read(
            ErrorDetails(status, str(error), headers={str(name).lower(): str(headers[name]) for name in headers})
        )
    return TransientError(sentence) if isinstance(error, OSError) else RequestRejected(sentence)

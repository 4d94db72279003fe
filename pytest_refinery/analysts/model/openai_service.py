"""The OpenAI SDK, and nothing else of ours that knows it: plain data in, plain data out."""

from __future__ import annotations

import os
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import openai

from pytest_refinery.analysts.model import service_errors
from pytest_refinery.analysts.model.replies import Answered
from pytest_refinery.analysts.model.service_errors import (
    AccountRejected,
    ConnectionFailed,
    ErrorDetails,
    RequestRejected,
    TransientError,
)
from pytest_refinery.errors import CassetteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_refinery.analysts.model.service_errors import ServiceError

JsonObject = dict[str, Any]

_UPLOAD_SECONDS = 60.0
_QUICK_SECONDS = 30.0
_PAGE = 100
_BASE_URL = "OPENAI_BASE_URL"
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


class _RawResponse(Protocol):
    @property
    def http_response(self) -> Any: ...  # noqa: ANN401  (of the SDK's own HTTP library)


class OpenAIService:
    """One account of OpenAI, or of a service that speaks the same language.

    Key, address and organisation are read by the SDK from its own variables: ``OPENAI_API_KEY``,
    ``OPENAI_BASE_URL``, ``OPENAI_ORG_ID``. Each method raises ``service_errors.ServiceError`` where there is no answer.
    Nothing is retried here.

    Args:
        api_key: A key to use instead.
        base_url: An address to use instead.
    """

    def __init__(self, *, api_key: str | None = None, base_url: str | None = None) -> None:
        try:
            self._client = openai.OpenAI(api_key=api_key, base_url=base_url, max_retries=0, timeout=_QUICK_SECONDS)
        except openai.OpenAIError as error:
            msg = "There is no key for OpenAI. Set OPENAI_API_KEY, or choose --refinery-analyst builtin."
            raise service_errors.AccountRejected(msg) from error
        self._address = _address(str(self._client.base_url))
        # Connections are kept open for the next request; an open socket that is just forgotten is a warning.
        weakref.finalize(self, self._client.close)

    def load(self, api: str) -> None:
        """Load what the SDK would load with the first request over ``responses`` or ``chat``: a tenth of a second."""
        _ = self._client.chat.completions if api == "chat" else self._client.responses

    def respond(self, request: Mapping[str, Any], *, timeout: float) -> Answered:
        """Ask over the Responses API, and wait at most ``timeout`` seconds for each part of the answer."""
        with self._in_our_words(timeout):
            return _answered(self._client.responses.with_raw_response.create(**request, timeout=timeout))

    def complete(self, request: Mapping[str, Any], *, timeout: float) -> Answered:
        """Ask over the Chat Completions API, and wait at most ``timeout`` seconds for each part of the answer."""
        with self._in_our_words(timeout):
            return _answered(self._client.chat.completions.with_raw_response.create(**request, timeout=timeout))

    def models(self) -> list[str]:
        """Return the names of all models."""
        with self._in_our_words(_QUICK_SECONDS):
            raw = self._client.models.with_raw_response.list()
            return [str(model["id"]) for model in _answered(raw).body.get("data", ())]

    def upload(self, name: str, text: str, *, lasting_seconds: int | None) -> str:
        """Upload a text file and return its id; it removes itself after ``lasting_seconds``."""
        lasting: JsonObject = {}
        if lasting_seconds is not None:
            lasting["expires_after"] = {"anchor": "created_at", "seconds": lasting_seconds}
        with self._in_our_words(_UPLOAD_SECONDS):
            raw = self._client.files.with_raw_response.create(
                file=(name, text.encode()), purpose="assistants", timeout=_UPLOAD_SECONDS, **lasting
            )
            return str(_answered(raw).body["id"])

    def delete_file(self, file_id: str) -> bool:
        """Remove a file; tell whether it was there."""
        return self._removed(lambda: self._client.files.with_raw_response.delete(file_id))

    def create_store(self, name: str, metadata: Mapping[str, str], *, lasting_days: int | None) -> str:
        """Make a vector store and return its id; it removes itself when unused for ``lasting_days``."""
        lasting: JsonObject = {}
        if lasting_days is not None:
            lasting["expires_after"] = {"anchor": "last_active_at", "days": lasting_days}
        with self._in_our_words(_QUICK_SECONDS):
            raw = self._client.vector_stores.with_raw_response.create(name=name, metadata=dict(metadata), **lasting)
            return str(_answered(raw).body["id"])

    def store(self, store_id: str) -> JsonObject | None:
        """Return a vector store as the service shows it, ``None`` where there is none."""
        with self._in_our_words(_QUICK_SECONDS):
            try:
                return _answered(self._client.vector_stores.with_raw_response.retrieve(store_id)).body
            except openai.NotFoundError:
                return None

    def stores(self) -> Iterator[JsonObject]:
        """Yield all vector stores of the account."""
        return self._pages(self._client.vector_stores.with_raw_response.list)

    def files_in_store(self, store_id: str) -> Iterator[JsonObject]:
        """Yield all files of a vector store."""
        return self._pages(lambda **page: self._client.vector_stores.files.with_raw_response.list(store_id, **page))

    def delete_store(self, store_id: str) -> bool:
        """Remove a vector store, without its files; tell whether it was there."""
        return self._removed(lambda: self._client.vector_stores.with_raw_response.delete(store_id))

    def attach(self, store_id: str, files: Sequence[JsonObject]) -> JsonObject:
        """Put files into a store, each ``{file_id, attributes, chunking_strategy}``; return the batch."""
        batches: Any = self._client.vector_stores.file_batches
        with self._in_our_words(_QUICK_SECONDS):
            return _answered(batches.with_raw_response.create(store_id, files=list(files))).body

    def batch(self, store_id: str, batch_id: str) -> JsonObject:
        """Return how far a batch is."""
        batches: Any = self._client.vector_stores.file_batches
        with self._in_our_words(_QUICK_SECONDS):
            return _answered(batches.with_raw_response.retrieve(batch_id, vector_store_id=store_id)).body

    def attach_one(self, store_id: str, file: JsonObject) -> JsonObject:
        """Put one file into a store; return it as the store shows it."""
        files: Any = self._client.vector_stores.files
        with self._in_our_words(_QUICK_SECONDS):
            return _answered(files.with_raw_response.create(store_id, **file)).body

    def _removed(self, remove: Callable[[], _RawResponse]) -> bool:
        with self._in_our_words(_QUICK_SECONDS):
            try:
                _answered(remove())
            except openai.NotFoundError:
                return False
            return True

    def _pages(self, ask: Callable[..., _RawResponse]) -> Iterator[JsonObject]:
        after: JsonObject = {}
        while True:
            with self._in_our_words(_QUICK_SECONDS):
                page = _answered(ask(limit=_PAGE, **after)).body
            rows = page.get("data") or []
            yield from rows
            if not rows or not page.get("has_more"):
                return
            after = {"after": rows[-1]["id"]}

    @contextmanager
    def _in_our_words(self, timeout: float) -> Iterator[None]:
        try:
            yield
        except openai.APIStatusError as error:
            raise service_errors.read(_details(error, self._address)) from error
        except openai.APITimeoutError as error:
            msg = f"{_capital(self._name)} did not answer within {timeout:.3g} s."
            raise TransientError(msg) from error
        except openai.APIConnectionError as error:
            raise self._about_connection(error) from error
        except CassetteError as error:
            # Our own refusal to let the request out.
            raise RequestRejected(str(error)) from error
        except (ValueError, KeyError, TypeError) as error:
            msg = f"The answer of {self._name} cannot be understood ({type(error).__name__}: {error})."
            raise TransientError(msg) from error

    @property
    def _name(self) -> str:
        return f"the service at {self._address}" if self._address else "the service"

    def _about_connection(self, error: openai.APIConnectionError) -> ServiceError:
        cause = error.__cause__ or error
        if isinstance(cause, CassetteError):
            # Older releases of the SDK wrap our own refusal to let the request out.
            return RequestRejected(str(cause))
        # The HTTP library is the SDK's choice; the names of these exceptions are the same in all of them.
        kind = type(cause).__name__
        if kind in {"UnsupportedProtocol", "InvalidURL"}:
            msg = (
                f"{_capital(self._name)} has no usable address: {_BASE_URL} begins with http:// or https:// ({cause})."
            )
            return AccountRejected(msg)
        if "CERTIFICATE_VERIFY_FAILED" in str(cause):
            advice = "Set SSL_CERT_FILE to a file with the certificates of your organisation."
            return AccountRejected(f"The certificate of {self._name} is not trusted: {cause}. {advice}")
        if kind in {"ConnectError", "ConnectTimeout", "ProxyError"}:
            return ConnectionFailed(f"{_capital(self._name)} cannot be reached: {cause}.{_about_proxy()}")
        return TransientError(f"The connection to {self._name} broke: {cause}.")


def _answered(raw: _RawResponse) -> Answered:
    response = raw.http_response
    body = response.json()
    if not isinstance(body, dict):
        msg = f"The service answered with {type(body).__name__} instead of an object."
        raise TransientError(msg)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answered(body, headers, response.elapsed.total_seconds())


def _details(error: openai.APIStatusError, address: str) -> ErrorDetails:
    said = error.body if isinstance(error.body, dict) else {}
    return ErrorDetails(
        status=error.status_code,
        message=service_errors.sentence_in(error.body) or f"it gave no reason ({error.message})",
        code=str(said.get("code") or ""),
        param=str(said.get("param") or ""),
        headers={name.lower(): value for name, value in error.response.headers.items()},
        address=address,
    )


def _address(base_url: str) -> str:
    """Return where the service is and what says so, without credentials; ``""`` for OpenAI itself."""
    parts = urlsplit(base_url)
    if parts.hostname == "api.openai.com":
        return ""
    host = parts.netloc.rpartition("@")[2]
    shown = f"{parts.scheme}://{host}{parts.path}" if host else base_url
    return f"{shown.rstrip('/')} ({_BASE_URL})"


def _about_proxy() -> str:
    """Return a hint at the proxy that the environment names, if it does."""
    proxy = next((name for name in _PROXIES if os.environ.get(name) or os.environ.get(name.lower())), None)
    return f" Requests go through the proxy that {proxy} names." if proxy else ""


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]

"""Why a service gave no answer, in our own words.

::

    AnalysisError
      ServiceError                one request got no answer; ``str()`` is a sentence for the user
        RateLimited               a 429: later it may pass
        TransientError            the service or the way to it broke; asking again may help
          ConnectionFailed        the request never got there, so it cost nothing
        RequestRejected           asking again cannot help
          UnsupportedParameter    the service may not take one of the parameters
          ContextOverflow         the request is larger than what the model can read
          NotFound                something that the request names does not exist
            UnknownModel          the model does not
            StoreNotFound         the vector store does not exist, or no longer
          AccountRejected         nothing that this account asks will be answered
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pytest_refinery.errors import AnalysisError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LONGEST_MESSAGE = 300
_NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_NO_MODEL = re.compile(
    r"model\b.{0,120}?\b(?:does not exist|not found|is not a valid|not available|not supported)|invalid model|"
    r"unknown model|no such model|not a valid model|unrecognized model|deployment .{0,80}does not exist",
    re.IGNORECASE,
)
# As OpenAI and vLLM, llama.cpp, Anthropic, Gemini and Mistral say it; the group is what the model can read.
_OVERFLOW = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"maximum context length (?:is|of) (\d+)",
        r"available context size \(?(\d+)",
        r"(?<!\d)\d+ tokens? > (\d+) maximum",
        r"maximum number of (?:input )?tokens allowed \(?(\d+)",
        r"model with (\d+) maximum context",
        r"context (?:window|length|size) (?:of|is|\(?n_ctx\)?\s*=?)\s*\(?(\d+)",
        r"exceeds? the (?:available |model'?s? )?context (?:size|length|window)()",
        r"prompt is too long()",
    )
)
_NO_MODEL_CODES = frozenset({"model_not_found", "DeploymentNotFound"})
_OVERFLOW_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_FILTER_CODES = frozenset({"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"})
_MARKUP = re.compile(r"<(script|style|head)\b.*?(?:</\1\s{0,9}>|\Z)|<[^<>]*>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class ErrorDetails:
    """What a service said instead of an answer.

    Attributes:
        status: Of the HTTP answer.
        message: The error's own sentence.
        param: The parameter that it is about.
        address: Where it was asked, and the variable that says so; ``""`` for OpenAI itself.
    """

    status: int
    message: str
    code: str = ""
    param: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    address: str = ""


class ServiceError(AnalysisError):
    """A request got no answer."""

    def __init__(self, sentence: str, details: ErrorDetails | None = None) -> None:
        super().__init__(sentence)
        self.details = details or ErrorDetails(0, sentence)

    def again(self) -> ServiceError:
        """Return the same error to be raised once more: one that is raised twice grows a traceback."""
        return type(self)(str(self), self.details)


class RateLimited(ServiceError):  # noqa: N818  (what happened to the request)
    """The limit of the account is reached; ``details`` says for how long."""


class TransientError(ServiceError):
    """The service or the way to it broke."""


class ConnectionFailed(TransientError):  # noqa: N818  (what happened to the request)
    """No connection was made: the request was never sent."""


class RequestRejected(ServiceError):  # noqa: N818  (what happened to the request)
    """The service will never answer this request."""

    is_final = True


class UnsupportedParameter(RequestRejected):
    """The service did not accept the request, and ``details`` may name the parameter that it does not take."""


class ContextOverflow(RequestRejected):
    """The request is larger than what the model can read."""

    @property
    def limit(self) -> int | None:
        """The tokens that the model can read, where the service says it."""
        found = _overflow(self.details)
        return int(found[1]) if found and found[1] else None


class NotFound(RequestRejected):
    """What the request names does not exist."""


class UnknownModel(NotFound):
    """The model that the request names does not exist."""


class StoreNotFound(NotFound):
    """The vector store that the request names does not exist, or no longer."""


class AccountRejected(RequestRejected):
    """The service answers nothing that this account asks."""


_KINDS: dict[int, tuple[type[ServiceError], str]] = {
    HTTPStatus.UNAUTHORIZED: (AccountRejected, "did not accept the key"),
    HTTPStatus.PAYMENT_REQUIRED: (AccountRejected, "wants to be paid first"),
    HTTPStatus.FORBIDDEN: (RequestRejected, "denies access"),
    HTTPStatus.NOT_FOUND: (NotFound, "does not know what was asked for"),
    HTTPStatus.METHOD_NOT_ALLOWED: (NotFound, "does not know what was asked for"),
    HTTPStatus.NOT_IMPLEMENTED: (NotFound, "does not know what was asked for"),
    HTTPStatus.REQUEST_TIMEOUT: (TransientError, "failed"),
    HTTPStatus.CONFLICT: (TransientError, "failed"),
    HTTPStatus.TOO_EARLY: (TransientError, "failed"),
}
_MAY_NAME_A_PARAMETER = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
_ADVICE: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: " Set OPENAI_API_KEY to a key of this service.",
    HTTPStatus.PAYMENT_REQUIRED: " Add credit, or use another key.",
}


def read(details: ErrorDetails) -> ServiceError:
    """Return the error that ``details`` describe."""
    if details.status == HTTPStatus.TOO_MANY_REQUESTS:
        return _read_429(details)
    kind, words = _kind_and_words(details)
    said = f"{words} ({details.status}): {_shortened(details.message)}"
    return kind(f"{_service(details)} {said}{_advice(kind, details)}", details)


def _service(details: ErrorDetails) -> str:
    return f"The service at {details.address}" if details.address else "The service"


def _kind_and_words(details: ErrorDetails) -> tuple[type[ServiceError], str]:
    known = next((found for is_it, found in _BY_WORDS if is_it(details)), None) or _KINDS.get(details.status)
    if known is not None:
        return known
    if details.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TransientError, "failed"
    may_be_about_parameter = details.status in _MAY_NAME_A_PARAMETER
    return (UnsupportedParameter if may_be_about_parameter else RequestRejected), "did not accept the request"


def _advice(kind: type[ServiceError], details: ErrorDetails) -> str:
    address = details.address.partition(" ")[0].rstrip("/")
    if kind is NotFound and address and not address.endswith("/v1"):
        return f" Most services are at an address that ends in /v1: try OPENAI_BASE_URL={address}/v1."
    if kind is ContextOverflow:
        return " Make the groups smaller (--refinery-group-tokens)."
    return _ADVICE.get(details.status, "")


def _overflow(details: ErrorDetails) -> re.Match[str] | None:
    if details.status >= HTTPStatus.INTERNAL_SERVER_ERROR and details.code not in _OVERFLOW_CODES:
        return None
    found = next(filter(None, (pattern.search(details.message) for pattern in _OVERFLOW)), None)
    return found or (re.match("()", "") if details.code in _OVERFLOW_CODES else None)


def _is_about_store(details: ErrorDetails) -> bool:
    if details.status == HTTPStatus.NOT_FOUND:
        return "vector store" in details.message.casefold()
    return details.status == HTTPStatus.BAD_REQUEST and "vector_store_ids" in details.param


def _is_about_model(details: ErrorDetails) -> bool:
    if details.status not in _MAY_NAME_A_PARAMETER and details.status != HTTPStatus.NOT_FOUND:
        return False
    return details.code in _NO_MODEL_CODES or _NO_MODEL.search(details.message) is not None


_BY_WORDS: tuple[tuple[Callable[[ErrorDetails], object], tuple[type[ServiceError], str]], ...] = (
    (_is_about_store, (StoreNotFound, "has no such vector store")),
    (_overflow, (ContextOverflow, "cannot read so much at once")),
    (_is_about_model, (UnknownModel, "has no such model")),
    (lambda details: details.code in _FILTER_CODES, (RequestRejected, "stopped the request in its content filter")),
)


def _read_429(details: ErrorDetails) -> ServiceError:
    said = _shortened(details.message)
    if details.code in _NO_MONEY or "exceeded your current quota" in details.message:
        sentence = f"The account has no credit left ({details.code or 429}): {said} Add credit, or use another key."
        return AccountRejected(sentence, details)
    return RateLimited(f"{_service(details)} is at its limit (429): {said}", details)


def sentence_in(body: Any) -> str:  # noqa: ANN401  (any JSON)
    """Return what the body of an error says, in whatever form; ``""`` where it says nothing."""
    if isinstance(body, str):
        return _first_line(body)
    if not isinstance(body, dict):
        return "; ".join(filter(None, map(sentence_in, body))) if isinstance(body, list) else ""
    place = ".".join(map(str, body["loc"])) if isinstance(body.get("loc"), list) else ""
    words = next((sentence_in(body[key]) for key in ("message", "msg", "detail", "error") if body.get(key)), "")
    return f"{place}: {words}" if place else words


def _first_line(text: str) -> str:
    """Return the first line of a text, of a page its title."""
    title = _TITLE.search(text)
    shown = title[1] if title else _MARKUP.sub("\n", text)
    return next(filter(None, map(str.strip, shown.splitlines())), "")


def _shortened(message: str) -> str:
    folded = " ".join(message.split())
    if len(folded) > _LONGEST_MESSAGE:
        folded = folded[:_LONGEST_MESSAGE].rstrip() + "…"
    return folded if folded.endswith((".", "!", "?", "…")) else f"{folded}."

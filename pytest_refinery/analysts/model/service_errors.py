"""Why a service gave no answer, in our own words.

::

    AnalysisError
      ServiceError                one request got no answer; ``str()`` is a sentence for the user
        RateLimited               a 429: later it may pass
        TransientError            the service or the way to it broke; asking again may help
          ConnectionFailed        the request never got there, so it cost nothing
        RequestRejected           asking again cannot help
          UnsupportedParameter    the service does not take one of the parameters
          NotFound                something that the request names does not exist
            StoreNotFound         the vector store does not exist, or no longer
          AccountRejected         nothing that this account asks will be answered
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from pytest_refinery.errors import AnalysisError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_MESSAGE = 300
_NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


@dataclass(frozen=True)
class ErrorDetails:
    """What a service said instead of an answer.

    Attributes:
        status: Of the HTTP answer.
        message: The error's own sentence.
        param: The parameter that it is about.
    """

    status: int
    message: str
    code: str = ""
    param: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class ServiceError(AnalysisError):
    """A request got no answer."""

    def __init__(self, sentence: str, details: ErrorDetails | None = None) -> None:
        super().__init__(sentence)
        self.details = details or ErrorDetails(0, sentence)


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
    """The service does not take the parameter ``details.param``."""


class NotFound(RequestRejected):
    """What the request names does not exist."""


class StoreNotFound(NotFound):
    """The vector store that the request names does not exist, or no longer."""


class AccountRejected(RequestRejected):
    """The service answers nothing that this account asks."""


_KINDS: dict[int, tuple[type[ServiceError], str]] = {
    HTTPStatus.UNAUTHORIZED: (AccountRejected, "The service did not accept the key"),
    HTTPStatus.FORBIDDEN: (RequestRejected, "The service denies access"),
    HTTPStatus.NOT_FOUND: (NotFound, "The service does not know what was asked for"),
    HTTPStatus.REQUEST_TIMEOUT: (TransientError, "The service failed"),
    HTTPStatus.CONFLICT: (TransientError, "The service failed"),
    HTTPStatus.TOO_EARLY: (TransientError, "The service failed"),
}


def read(details: ErrorDetails) -> ServiceError:
    """Return the error that ``details`` describe."""
    if details.status == HTTPStatus.TOO_MANY_REQUESTS:
        return _read_429(details)
    kind, words = _kind_and_words(details)
    advice = " Set OPENAI_API_KEY anew." if kind is AccountRejected else ""
    return kind(f"{words} ({details.status}): {_shortened(details.message)}{advice}", details)


def _kind_and_words(details: ErrorDetails) -> tuple[type[ServiceError], str]:
    if _is_about_store(details):
        return StoreNotFound, "There is no such vector store"
    if details.status in _KINDS:
        return _KINDS[details.status]
    if details.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TransientError, "The service failed"
    return (UnsupportedParameter if details.param else RequestRejected), "The service did not accept the request"


def _is_about_store(details: ErrorDetails) -> bool:
    if details.status == HTTPStatus.NOT_FOUND:
        return "vector store" in details.message.casefold()
    return details.status == HTTPStatus.BAD_REQUEST and "vector_store_ids" in details.param


def _read_429(details: ErrorDetails) -> ServiceError:
    said = _shortened(details.message)
    if details.code in _NO_MONEY or "exceeded your current quota" in details.message:
        sentence = f"The account has no credit left ({details.code or 429}): {said} Add credit, or use another key."
        return AccountRejected(sentence, details)
    return RateLimited(f"The service is at its limit (429): {said}", details)


def _shortened(message: str) -> str:
    folded = " ".join(message.split())
    if len(folded) > _LONGEST_MESSAGE:
        folded = folded[:_LONGEST_MESSAGE].rstrip() + "…"
    return folded if folded.endswith((".", "!", "?", "…")) else f"{folded}."

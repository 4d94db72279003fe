"""Why a service gave no answer, in our own words.

::

    AnalysisError
      Unanswered            one request got no answer; ``str()`` is a sentence for the user
        Limited             a 429: later it may pass
        PassingTrouble      the service or the way to it broke; asking again may help
          Unreached         the request never got there, so it cost nothing
        Refused             asking again cannot help
          NotAccepted       the service does not take one of the parameters
          NotFound          something that the request names does not exist
            StoreGone       the vector store does not exist, or no longer
          AccountRefused    nothing that this account asks will be answered
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
class Complaint:
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


class Unanswered(AnalysisError):  # noqa: N818  (what happened to the request)
    """A request got no answer."""

    def __init__(self, sentence: str, complaint: Complaint | None = None) -> None:
        super().__init__(sentence)
        self.complaint = complaint or Complaint(0, sentence)


class Limited(Unanswered):
    """The limit of the account is reached; ``complaint`` says for how long."""


class PassingTrouble(Unanswered):
    """The service or the way to it broke."""


class Unreached(PassingTrouble):
    """No connection was made: the request was never sent."""


class Refused(Unanswered):
    """The service will never answer this request."""

    is_final = True


class NotAccepted(Refused):
    """The service does not take the parameter ``complaint.param``."""


class NotFound(Refused):
    """What the request names does not exist."""


class StoreGone(NotFound):
    """The vector store that the request names does not exist, or no longer."""


class AccountRefused(Refused):
    """The service answers nothing that this account asks."""


_KINDS: dict[int, tuple[type[Unanswered], str]] = {
    HTTPStatus.UNAUTHORIZED: (AccountRefused, "The service did not accept the key"),
    HTTPStatus.FORBIDDEN: (Refused, "The service denies access"),
    HTTPStatus.NOT_FOUND: (NotFound, "The service does not know what was asked for"),
    HTTPStatus.REQUEST_TIMEOUT: (PassingTrouble, "The service failed"),
    HTTPStatus.CONFLICT: (PassingTrouble, "The service failed"),
    HTTPStatus.TOO_EARLY: (PassingTrouble, "The service failed"),
}


def read(complaint: Complaint) -> Unanswered:
    """Return what a service's complaint means."""
    if complaint.status == HTTPStatus.TOO_MANY_REQUESTS:
        return _read_429(complaint)
    kind, words = _kind_and_words(complaint)
    advice = " Set OPENAI_API_KEY anew." if kind is AccountRefused else ""
    return kind(f"{words} ({complaint.status}): {_shortened(complaint.message)}{advice}", complaint)


def _kind_and_words(complaint: Complaint) -> tuple[type[Unanswered], str]:
    if _is_about_store(complaint):
        return StoreGone, "There is no such vector store"
    if complaint.status in _KINDS:
        return _KINDS[complaint.status]
    if complaint.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return PassingTrouble, "The service failed"
    return (NotAccepted if complaint.param else Refused), "The service did not accept the request"


def _is_about_store(complaint: Complaint) -> bool:
    if complaint.status == HTTPStatus.NOT_FOUND:
        return "vector store" in complaint.message.casefold()
    return complaint.status == HTTPStatus.BAD_REQUEST and "vector_store_ids" in complaint.param


def _read_429(complaint: Complaint) -> Unanswered:
    said = _shortened(complaint.message)
    if complaint.code in _NO_MONEY or "exceeded your current quota" in complaint.message:
        sentence = f"The account has no credit left ({complaint.code or 429}): {said} Add credit, or use another key."
        return AccountRefused(sentence, complaint)
    return Limited(f"The service is at its limit (429): {said}", complaint)


def _shortened(message: str) -> str:
    folded = " ".join(message.split())
    if len(folded) > _LONGEST_MESSAGE:
        folded = folded[:_LONGEST_MESSAGE].rstrip() + "…"
    return folded if folded.endswith((".", "!", "?", "…")) else f"{folded}."

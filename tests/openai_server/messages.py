"""What goes in and out of the service, without HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Upload:
    """The file part of a form."""

    filename: str
    content: bytes


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        path: Without ``/v1`` and the query.
        body: The JSON body, or the fields of a form without its file.
        key: The bearer token, never written anywhere.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: JsonObject = field(default_factory=dict)
    upload: Upload | None = None
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Answer:
    """What is sent back.

    Attributes:
        cut_after: The share of the body after which the connection is cut, ``None`` where it is not.
        page: What is sent instead of the body: no JSON.
        is_stalled: Nothing is sent before the server ends.
        tokens: What the limits were charged for it.
    """

    body: JsonObject
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: float | None = None
    page: str | None = None
    is_stalled: bool = False
    tokens: int = 0


class ServiceError(Exception):
    """A refusal, in the service's own form."""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int = 400,
        kind: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        error = {"message": message, "type": kind, "param": param, "code": code}
        self.answer = Answer(body={"error": error}, status=status, headers=headers or {})

"""Why LangSmith does not give what it was asked for, in sentences that say what to do."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from pytest_refinery.errors import TraceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_refinery.sources.langsmith.transport import Response

_LONGEST_WORDS = 200
_UNKNOWN = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_REDIRECTS = (301, 302, 307, 308)
_REFUSALS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: (
        "{host} does not accept the key in LANGSMITH_API_KEY{quoted}. Is it complete and still valid, and does "
        "LANGSMITH_ENDPOINT name the region it belongs to?"
    ),
    HTTPStatus.FORBIDDEN: (
        "{host} gives this key no access{quoted}. The key must be of the workspace that has the trace, and may read "
        "its runs; a key of several workspaces needs LANGSMITH_WORKSPACE_ID."
    ),
    HTTPStatus.NOT_FOUND: "{host} finds nothing there{quoted}.",
    **dict.fromkeys(_REDIRECTS, "{host} sends requests elsewhere{quoted}. Set LANGSMITH_ENDPOINT to where its API is."),
}
_UNKNOWN_PATH = (
    "{host} does not know such a request{quoted}. Does LANGSMITH_ENDPOINT name LangSmith's API, and is it new enough?"
)
_OTHER_REFUSAL = "{host} refused the request{quoted}."


class Refused(TraceError):  # noqa: N818  (what happened to the request)
    """LangSmith answered, but not what it was asked for.

    Attributes:
        status: Of the answer.
        is_unknown_path: Whether the answer is that of a backend which does not know this kind of request.
    """

    def __init__(self, sentence: str, status: int, *, is_unknown_path: bool = False) -> None:
        super().__init__(sentence)
        self.status = status
        self.is_unknown_path = is_unknown_path


def of(response: Response, *, host: str, secrets: Iterable[str]) -> Refused:
    """Return the refusal that an answer is; none of the ``secrets`` is in its sentence."""
    said, is_problem = _words(response)
    for secret in secrets:
        said = said.replace(secret, "***")
    quoted = f" ({response.status}: {said})" if said else f" ({response.status})"
    is_unknown = response.status in _UNKNOWN and not is_problem
    sentence = _UNKNOWN_PATH if is_unknown else _REFUSALS.get(response.status, _OTHER_REFUSAL)
    return Refused(sentence.format(host=host, quoted=quoted), response.status, is_unknown_path=is_unknown)


def _words(response: Response) -> tuple[str, bool]:
    """Return what an error says, and whether it has the form that all errors of v2 have (RFC 7807)."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return "", False
    if not isinstance(body, dict):
        return "", False
    said = body.get("detail") or body.get("title") or body.get("error") or ""
    words = " ".join(said.split())[:_LONGEST_WORDS] if isinstance(said, str) else ""
    return words.rstrip("."), bool({"title", "status", "type"} & body.keys())

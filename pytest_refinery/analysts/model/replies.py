"""What stands in the answer of the Responses API, and which runs of a group its passages show. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_refinery.analysts.model.service_errors import ErrorDetails, RateLimited, RequestRejected, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_refinery.analysts.model.service_errors import ServiceError
    from pytest_refinery.digest.grouping import Group

_PASSING_CODES = frozenset({"server_error", "vector_store_timeout"})


@dataclass(frozen=True)
class Answered:
    """An answer: the JSON as the service sent it, and the headers (names in lower case)."""

    body: dict[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Retrieved:
    """A passage that the file search gave to the model.

    Attributes:
        attributes: Those of the file, where the service shows them.
    """

    filename: str
    text: str
    attributes: Mapping[str, Any]

    def is_of(self, group_name: str) -> bool:
        """Tell whether it is from the file of a group: its attributes say so, without them its name."""
        if "group" in self.attributes:
            return bool(self.attributes["group"] == group_name)
        return self.filename.startswith(f"{group_name}_")


@dataclass(frozen=True)
class Reply:
    """An answer that came.

    Attributes:
        text: What the model wrote, ``""`` where it wrote nothing.
        refusal: What the model said instead of answering.
        cut_off_by: Why the answer ended before its end: ``max_output_tokens``, ``content_filter``.
    """

    text: str
    refusal: str
    cut_off_by: str
    passages: tuple[Retrieved, ...]
    input_tokens: int
    output_tokens: int


def read(body: Mapping[str, Any]) -> Reply:
    """Read the JSON of a response.

    Raises:
        ServiceError: Its status is ``failed`` or ``cancelled``, or it is not what the API describes.
    """
    try:
        _raise_where_failed(body)
        return _reply(body)
    except (AttributeError, TypeError, ValueError) as error:
        msg = f"The service's answer cannot be understood ({error})."
        raise TransientError(msg) from error


def _reply(body: Mapping[str, Any]) -> Reply:
    usage = body.get("usage") or {}
    parts = list(_parts(body))
    return Reply(
        text="".join(part.get("text") or "" for part in parts if part.get("type") == "output_text"),
        refusal="".join(part.get("refusal") or "" for part in parts if part.get("type") == "refusal"),
        cut_off_by=_reason(body) if body.get("status") == "incomplete" else "",
        passages=tuple(_passages(body)),
        input_tokens=int(usage.get("input_tokens") or 0),
        output_tokens=int(usage.get("output_tokens") or 0),
    )


def _raise_where_failed(body: Mapping[str, Any]) -> None:
    if body.get("status") not in {"failed", "cancelled"}:
        return
    error = body.get("error") or {}
    code, message = str(error.get("code") or ""), str(error.get("message") or "it gave no reason")
    details = ErrorDetails(200, message, code)
    if code == "rate_limit_exceeded":
        kind: type[ServiceError] = RateLimited
    else:
        kind = TransientError if code in _PASSING_CODES else RequestRejected
    msg = f"The service failed to answer ({code or body['status']}): {message}"
    raise kind(msg, details)


def _reason(body: Mapping[str, Any]) -> str:
    return str((body.get("incomplete_details") or {}).get("reason") or "an unknown reason")


def _parts(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for item in body.get("output") or ():
        if item.get("type") == "message":
            yield from item.get("content") or ()


def _passages(body: Mapping[str, Any]) -> Iterator[Retrieved]:
    for item in body.get("output") or ():
        if item.get("type") == "file_search_call":
            yield from map(_passage, item.get("results") or ())


def _passage(result: Mapping[str, Any]) -> Retrieved:
    attributes = result.get("attributes") or {}
    return Retrieved(
        # The attributes first: a service that puts it there has put something else in the usual place.
        filename=str(attributes.get("filename") or result.get("filename") or ""),
        text=str(result.get("text") or ""),
        attributes=attributes,
    )


def unread_runs(group: Group, passages: Iterable[str]) -> tuple[str, ...]:
    """Return the ids of the runs of which something is missing in ``passages``, in order.

    White space is not compared: services cut and join at it.
    """
    text = _without_space(group.text)
    covered = bytearray(len(text))
    for passage in map(_without_space, passages):
        start = text.find(passage) if passage else -1
        if start >= 0:
            covered[start : start + len(passage)] = b"\1" * len(passage)
    return tuple(dict.fromkeys(run_id for run_id, start, end in _places(group, text) if 0 in covered[start:end]))


def _places(group: Group, text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each piece's run and its place in ``text``; the pieces stand at the end of it, one after the other."""
    lengths = [len(_without_space(piece.text)) for piece in group.pieces]
    start = len(text) - sum(lengths)
    for piece, length in zip(group.pieces, lengths, strict=True):
        yield piece.run_id, start, start + length
        start += length


def _without_space(text: str) -> str:
    return "".join(text.split())

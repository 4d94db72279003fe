"""The Responses API: questions as its requests, and its answers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_refinery.analysts.model import queries, replayed_calls
from pytest_refinery.analysts.model.models import Parameter
from pytest_refinery.analysts.model.replayed_calls import ReplayedCall
from pytest_refinery.analysts.model.replies import Reply, Retrieved, Usage, called
from pytest_refinery.analysts.model.service_errors import (
    ErrorDetails,
    RateLimited,
    RequestRejected,
    TransientError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_refinery.analysts.model.models import Abilities
    from pytest_refinery.analysts.model.queries import Query, Search
    from pytest_refinery.analysts.model.service_errors import ServiceError

_PASSING_CODES = frozenset({"server_error", "vector_store_timeout"})


def body(query: Query, abilities: Abilities) -> dict[str, Any]:
    """Return a question as a request."""
    if isinstance(query, ReplayedCall) and query.call:
        again = {**replayed_calls.responses_body(query.call), "max_output_tokens": query.output_limit(abilities)}
        return replayed_calls.without_dropped(again, abilities)
    found: dict[str, Any] = {
        "model": query.model,
        "instructions": query.instructions,
        "input": query.shown(abilities),
    }
    if answer_format := _format(query, abilities):
        found["text"] = {"format": answer_format}
    if abilities.takes(Parameter.STORE):
        found["store"] = False
    if abilities.takes(Parameter.CACHE_KEY):
        found["prompt_cache_key"] = queries.cache_key(query)
    if abilities.takes(Parameter.OUTPUT_LIMIT):
        found["max_output_tokens"] = query.output_limit(abilities)
    if abilities.takes_temperature:
        found["temperature"] = query.temperature
    if effort := abilities.effort_of(query.stage):
        found["reasoning"] = {"effort": effort}
    return found | (_searching(query.search, abilities) if query.search else {})


def _format(query: Query, abilities: Abilities) -> dict[str, Any] | None:
    if abilities.takes(Parameter.JSON_SCHEMA):
        return {"type": "json_schema", "name": query.answer.__name__, "schema": query.schema, "strict": True}
    return {"type": "json_object"} if abilities.takes(Parameter.JSON_OBJECT) else None


def _searching(search: Search, abilities: Abilities) -> dict[str, Any]:
    forced = {"tool_choice": {"type": "file_search"}} if search.is_forced else {}
    shown = {"include": ["file_search_call.results"]} if abilities.takes(Parameter.INCLUDE) else {}
    return {"tools": [search.tool], **shown, **forced}


def read(answer: Mapping[str, Any]) -> Reply:
    """Read the JSON of a response.

    Raises:
        ServiceError: Its status is ``failed`` or ``cancelled``, or it is not what the API describes.
    """
    try:
        _raise_where_failed(answer)
        return _reply(answer)
    except (AttributeError, TypeError, ValueError) as error:
        msg = f"The service's answer cannot be understood ({error})."
        raise TransientError(msg) from error


def _reply(answer: Mapping[str, Any]) -> Reply:
    parts = list(_parts(answer))
    return Reply(
        text="".join(part.get("text") or "" for part in parts if part.get("type") == "output_text"),
        refusal="".join(part.get("refusal") or "" for part in parts if part.get("type") == "refusal"),
        cut_off_by=_reason(answer) if answer.get("status") == "incomplete" else "",
        passages=tuple(_passages(answer)),
        calls=called(answer.get("output")),
        usage=_usage(answer.get("usage") or {}),
    )


def _usage(usage: Mapping[str, Any]) -> Usage | None:
    if not usage.get("input_tokens"):
        return None
    thought = (usage.get("output_tokens_details") or {}).get("reasoning_tokens") or 0
    return Usage(int(usage["input_tokens"]), int(usage.get("output_tokens") or 0), int(thought))


def _raise_where_failed(answer: Mapping[str, Any]) -> None:
    if answer.get("status") not in {"failed", "cancelled"}:
        return
    error = answer.get("error") or {}
    code, message = str(error.get("code") or ""), str(error.get("message") or "it gave no reason")
    details = ErrorDetails(200, message, code)
    if code == "rate_limit_exceeded":
        kind: type[ServiceError] = RateLimited
    else:
        kind = TransientError if code in _PASSING_CODES else RequestRejected
    msg = f"The service failed to answer ({code or answer['status']}): {message}"
    raise kind(msg, details)


def _reason(answer: Mapping[str, Any]) -> str:
    return str((answer.get("incomplete_details") or {}).get("reason") or "an unknown reason")


def _parts(answer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for item in answer.get("output") or ():
        if item.get("type") == "message":
            yield from item.get("content") or ()


def _passages(answer: Mapping[str, Any]) -> Iterator[Retrieved]:
    for item in answer.get("output") or ():
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

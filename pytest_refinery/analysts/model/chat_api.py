"""The Chat Completions API: questions as its requests, and its answers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_refinery.analysts.model import replayed_calls, service_errors
from pytest_refinery.analysts.model.models import Parameter, Thinking
from pytest_refinery.analysts.model.replayed_calls import ReplayedCall
from pytest_refinery.analysts.model.replies import Reply, Usage, called
from pytest_refinery.analysts.model.service_errors import ErrorDetails, TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_refinery.analysts.model.models import Abilities
    from pytest_refinery.analysts.model.queries import Query

_CUT_OFF = {"length": "max_output_tokens", "max_tokens": "max_output_tokens", "content_filter": "content_filter"}


def body(query: Query, abilities: Abilities) -> dict[str, Any]:
    """Return a question as a request, with what every server knows, and as little else as possible."""
    if isinstance(query, ReplayedCall) and query.call:
        again = {**replayed_calls.chat_body(query.call), _limit_name(abilities): query.output_limit(abilities)}
        return replayed_calls.without_dropped(again, abilities)
    found: dict[str, Any] = {
        "model": query.model,
        "messages": [
            {"role": "system", "content": query.instructions},
            {"role": "user", "content": query.shown(abilities)},
        ],
        _limit_name(abilities): query.output_limit(abilities),
    }
    if answer_format := _format(query, abilities):
        found["response_format"] = answer_format
    if abilities.takes_temperature:
        found["temperature"] = query.temperature
    if effort := abilities.effort_of(query.stage):
        found["reasoning_effort"] = effort
    return found


def _limit_name(abilities: Abilities) -> str:
    """Return the name of the limit of the answer: the old one is known everywhere but to models that think."""
    is_new = (abilities.thinking is not Thinking.NEVER) == abilities.takes(Parameter.OUTPUT_LIMIT)
    return "max_completion_tokens" if is_new else "max_tokens"


def _format(query: Query, abilities: Abilities) -> dict[str, Any] | None:
    if abilities.takes(Parameter.JSON_SCHEMA):
        schema = {"name": query.answer.__name__, "schema": query.schema, "strict": True}
        return {"type": "json_schema", "json_schema": schema}
    return {"type": "json_object"} if abilities.takes(Parameter.JSON_OBJECT) else None


def read(answer: Mapping[str, Any]) -> Reply:
    """Read the JSON of a completion.

    Raises:
        ServiceError: It is an error, which some gateways send as a success, or not what the API describes.
    """
    try:
        if answer.get("error"):
            raise service_errors.read(_error(answer["error"]))
        return _reply(answer["choices"][0], answer.get("usage") or {})
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        msg = f"The service's answer cannot be understood ({type(error).__name__}: {error})."
        raise TransientError(msg) from error


def _reply(choice: Mapping[str, Any], usage: Mapping[str, Any]) -> Reply:
    message = choice["message"]
    return Reply(
        text=_text(message.get("content")),
        refusal=str(message.get("refusal") or ""),
        cut_off_by=_CUT_OFF.get(str(choice.get("finish_reason")), ""),
        calls=called(message),
        usage=_usage(usage),
    )


def _text(content: Any) -> str:  # noqa: ANN401  (any JSON)
    """Return what was written, also where a server sends it in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return str(content or "")


def _usage(usage: Mapping[str, Any]) -> Usage | None:
    if not usage.get("prompt_tokens"):
        return None
    thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    return Usage(int(usage["prompt_tokens"]), int(usage.get("completion_tokens") or 0), int(thought))


def _error(error: Any) -> ErrorDetails:  # noqa: ANN401  (any JSON)
    said = error if isinstance(error, dict) else {"message": str(error)}
    code = str(said.get("code") or "")
    status = int(code) if code.isascii() and code.isdigit() else 500
    return ErrorDetails(status, str(said.get("message") or "it gave no reason"), code)

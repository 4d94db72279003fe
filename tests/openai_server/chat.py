"""Chat Completions: the same model, asked and answering in the other protocol."""

from __future__ import annotations

import json
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from tests.openai_server import listing
from tests.openai_server.messages import Answer, JsonObject, Request, ServiceError

if TYPE_CHECKING:
    from tests.openai_server.responses import Responses

_FORMATS = ("json_schema", "json_object", "text")
_SCHEMA_IN_WORDS = "JSON Schema, and nothing else:\n"


class Chat:
    """Answers; may be called from any thread."""

    def __init__(self, responses: Responses) -> None:
        self._responses = responses

    def create(self, request: Request) -> Answer:
        """Answer a request."""
        answer = self._responses.create(replace(request, body=_as_response(request.body)))
        return replace(answer, body=_completion(answer.body)) if answer.status == HTTPStatus.OK else answer


def check(body: JsonObject) -> None:
    """Refuse what the service would refuse."""
    for name in ("model", "messages"):
        if not body.get(name):
            raise ServiceError(f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")
    kind = (body.get("response_format") or {}).get("type", "text")
    if kind not in _FORMATS:
        raise ServiceError(f"Invalid value: '{kind}'.", param="response_format.type", code="invalid_value")
    if kind == "json_object" and "json" not in str(body["messages"]).lower():
        raise ServiceError("'messages' must contain the word 'json' in some form.", param="messages")


def _as_response(body: JsonObject) -> JsonObject:
    """Return the same request in the form of the other protocol."""
    said = {message["role"]: message["content"] for message in body["messages"]}
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    found = {
        "model": body["model"],
        "instructions": said.get("system", ""),
        "input": said["user"],
        "max_output_tokens": limit,
    }
    return found | ({"text": {"format": wanted}} if (wanted := _format(body, said["user"])) else {})


def _format(body: JsonObject, asked: str) -> JsonObject | None:
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return {"type": "json_schema", **wanted["json_schema"]}
    # A model that obeys reads the schema where it stands in the question.
    shown = asked.rpartition(_SCHEMA_IN_WORDS)[2] if _SCHEMA_IN_WORDS in asked else ""
    return {"type": "json_schema", "name": "shown", "schema": json.loads(shown)} if shown else None


def _completion(answer: JsonObject) -> JsonObject:
    parts = [part for item in answer["output"] if item["type"] == "message" for part in item["content"]]
    usage = answer["usage"]
    message: JsonObject = {"role": "assistant", "content": "".join(part["text"] for part in parts), "refusal": None}
    if calls := [_tool_call(item) for item in answer["output"] if item["type"] == "function_call"]:
        message["tool_calls"] = calls
    return {
        "id": listing.new_id("chatcmpl_"),
        "object": "chat.completion",
        "created": answer["created_at"],
        "model": answer["model"],
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": "stop" if answer["status"] == "completed" else "length",
            }
        ],
        "usage": {
            "prompt_tokens": usage["input_tokens"],
            "completion_tokens": usage["output_tokens"],
            "total_tokens": usage["total_tokens"],
            "completion_tokens_details": usage["output_tokens_details"],
        },
    }


def _tool_call(item: JsonObject) -> JsonObject:
    function = {"name": item["name"], "arguments": item["arguments"]}
    return {"id": item["call_id"], "type": "function", "function": function}

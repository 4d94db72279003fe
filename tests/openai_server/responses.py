"""Responses: what a request carries is read, retrieved, counted, charged and answered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tests.openai_server import listing, validation
from tests.openai_server.brain import FunctionCall, Passage, View
from tests.openai_server.messages import Answer, JsonObject, Request, ServiceError
from tests.openai_server.strict_schemas import completed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from threading import Lock

    from tests.openai_server.gate import Gate
    from tests.openai_server.retrieval import Hit
    from tests.openai_server.terms import Terms
    from tests.openai_server.vector_stores import VectorStores

# The service names the version that a name stands for.
_SNAPSHOTS = {"gpt-4o": "gpt-4o-2024-08-06", "gpt-4o-mini": "gpt-4o-mini-2024-07-18", "gpt-4.1": "gpt-4.1-2025-04-14"}
_TOKENS_OF_A_MESSAGE = 4
_LONGEST_QUERY = 200
_USUAL_RESULTS = 20
_PIECE = re.compile(r"\S{1,16}\s*|\s+")


@dataclass(frozen=True)
class _Call:
    """One file search: the tool as it was given, the queries, what they found."""

    tool: JsonObject
    queries: Sequence[str]
    hits: Sequence[Hit]


@dataclass(frozen=True)
class _Said:
    """What the model wrote."""

    text: str
    reasoning_tokens: int
    output_tokens: int
    is_complete: bool
    call: FunctionCall | None = None


class Responses:
    """Answers; may be called from any thread, ``lock`` being what guards the stores."""

    def __init__(self, terms: Terms, stores: VectorStores, gate: Gate, lock: Lock) -> None:
        self._terms = terms
        self._lock = lock
        self._stores = stores
        self._gate = gate

    def create(self, request: Request) -> Answer:
        """Answer a request."""
        body = request.body
        self.refuse_unknown(body["model"])
        with self._lock:
            calls = self._searches(body)
        carried = _counted(body, calls, self._terms.count_tokens) + len(calls) * self._terms.file_search_tokens
        self._refuse_overlong(carried)
        reserved = body.get("max_output_tokens") or 0 if self._terms.charges_max_output else 0
        entered = self._gate.enter(body["model"], carried + reserved)
        self._terms.sleep(self._terms.latency_seconds)
        said = self._said(body, calls)
        charged = self._settle(body["model"], reserved, said.output_tokens, entered)
        return Answer(
            body=self._json(body, calls, carried, said),
            headers=self._gate.headers(body["model"]),
            tokens=carried + charged,
        )

    def count(self, request: Request) -> JsonObject:
        """Count the input tokens of a request, nothing retrieved."""
        tokens = _counted(request.body, (), self._terms.count_tokens)
        return {"object": "response.input_tokens", "input_tokens": tokens}

    def _searches(self, body: JsonObject) -> list[_Call]:
        if body.get("tool_choice") == "none":
            return []
        tools = [tool for tool in body.get("tools") or () if tool["type"] == "file_search"]
        asked = (_inputs(body) or [""])[-1]
        queries = _queries(asked, validation.is_reasoning(body["model"]))
        return [_Call(tool, queries, self._stores.find(asked, tool["vector_store_ids"], tool)) for tool in tools]

    def refuse_unknown(self, model: str) -> None:
        """Refuse a model that does not exist."""
        if model not in self._terms.models:
            message = f"The model `{model}` does not exist or you do not have access to it."
            raise ServiceError(message, code="model_not_found", status=404)

    def _refuse_overlong(self, tokens: int) -> None:
        if tokens > self._terms.context_window:
            message = "Your input exceeds the context window of this model. Please adjust your input and try again."
            raise ServiceError(message, param="input", code="context_length_exceeded")

    def _settle(self, model: str, reserved: int, output_tokens: int, entered: float) -> int:
        """Charge the answer to what was reserved for it, and return what it cost in the end."""
        owed = output_tokens - reserved
        if self._terms.refunds or owed > 0:
            self._gate.charge_more(model, owed, entered)
            return output_tokens
        return reserved

    def _said(self, body: JsonObject, calls: Sequence[_Call]) -> _Said:
        view = _view(body, calls)
        answer = self._terms.brain(view)
        if isinstance(answer, FunctionCall):
            cost = self._terms.count_tokens(json.dumps(answer.arguments))
            return _Said("", 0, cost, is_complete=True, call=answer)
        text = answer if isinstance(answer, str) else json.dumps(_fitting(view, dict(answer)), ensure_ascii=False)
        count, most = self._terms.count_tokens, body.get("max_output_tokens")
        thinking = self._terms.reasoning_tokens if validation.is_reasoning(body["model"]) else 0
        if most is None or thinking + count(text) <= most:
            return _Said(text, thinking, thinking + count(text), is_complete=True)
        return _Said(_cut(text, most - thinking, count), min(thinking, most), most, is_complete=False)

    def _json(self, body: JsonObject, calls: Sequence[_Call], carried: int, said: _Said) -> JsonObject:
        return {
            "id": listing.new_id("resp_"),
            "object": "response",
            "created_at": int(self._terms.clock()),
            "completed_at": int(self._terms.clock()) if said.is_complete else None,
            "status": "completed" if said.is_complete else "incomplete",
            "background": False,
            "error": None,
            "incomplete_details": None if said.is_complete else {"reason": "max_output_tokens"},
            "output": _output(body, calls, said),
            "service_tier": "default",
            "usage": _usage(carried, said),
            **_echoed(body),
        }


def _inputs(body: JsonObject) -> list[str]:
    given = body.get("input")
    if given is None or isinstance(given, str):
        return [given or ""]
    return [text for item in given for text in _texts(item)]


def _texts(item: JsonObject) -> Iterable[str]:
    content: Any = item.get("content", item.get("output", item.get("arguments", "")))
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content if "text" in part]


def _counted(body: JsonObject, calls: Sequence[_Call], count: Callable[[str], int]) -> int:
    texts = [body.get("instructions") or "", *_inputs(body)]
    offered = filter(None, ((body.get("text") or {}).get("format", {}).get("schema"), body.get("tools")))
    retrieved = [hit.chunk.text for call in calls for hit in call.hits]
    # A recorded schema of 32 tokens without spaces, 43 with, cost 33.
    written = [*texts, *(json.dumps(value, separators=(",", ":")) for value in offered), *retrieved]
    return sum(count(text) + _TOKENS_OF_A_MESSAGE for text in written if text)


def _queries(asked: str, is_reasoning: bool) -> list[str]:  # noqa: FBT001  (private)
    lines = [line.strip()[:_LONGEST_QUERY] for line in asked.splitlines() if line.strip()]
    last = lines[-1:] if is_reasoning and len(lines) > 1 else []
    return lines[:1] + last or [""]


def _view(body: JsonObject, calls: Sequence[_Call]) -> View:
    wanted = (body.get("text") or {}).get("format") or {}
    chunks = [hit.chunk for call in calls for hit in call.hits]
    return View(
        model=body["model"],
        instructions=body.get("instructions") or "",
        inputs=tuple(_inputs(body)),
        passages=tuple(Passage(chunk.file_id, chunk.filename, chunk.text, chunk.attributes) for chunk in chunks),
        schema_name=wanted.get("name"),
        schema=wanted.get("schema"),
    )


def _fitting(view: View, answer: dict[str, Any]) -> Any:  # noqa: ANN401  (any JSON)
    if view.schema is None:
        return answer
    whole = completed(view.schema, answer)
    error = best_match(Draft202012Validator(view.schema).iter_errors(whole))
    if error is not None:
        message = f"The brain's answer does not fit the schema {view.schema_name}: {error.json_path}: {error.message}"
        raise ServiceError(message, status=500, kind="server_error")
    return whole


def _cut(text: str, most: int, count: Callable[[str], int]) -> str:
    kept, used = "", 0
    for piece in _PIECE.findall(text):
        used += count(piece)
        if used > most:
            break
        kept += piece
    return kept


def _output(body: JsonObject, calls: Sequence[_Call], said: _Said) -> list[JsonObject]:
    is_shown = "file_search_call.results" in (body.get("include") or ())
    found = [_call_json(call, is_shown=is_shown) for call in calls]
    thought = {"id": listing.new_id("rs_"), "type": "reasoning", "summary": []}
    before = [thought, *found] if validation.is_reasoning(body["model"]) else found
    if said.call is not None:
        return [*before, _function_call(said.call)]
    return [*before, _message(said)] if said.text or said.is_complete else before


def _call_json(call: _Call, *, is_shown: bool) -> JsonObject:
    results = [_hit_json(hit, call.tool["vector_store_ids"]) for hit in call.hits]
    return {
        "id": listing.new_id("fs_"),
        "type": "file_search_call",
        "status": "completed",
        "queries": list(call.queries),
        "results": results if is_shown else None,
    }


def _hit_json(hit: Hit, store_ids: Sequence[str]) -> JsonObject:
    return {
        "attributes": dict(hit.chunk.attributes),
        "file_id": hit.chunk.file_id,
        "filename": hit.chunk.filename,
        "score": hit.score,
        "text": hit.chunk.text,
        "vector_store_id": store_ids[0],
    }


def _function_call(call: FunctionCall) -> JsonObject:
    return {
        "id": listing.new_id("fc_"),
        "type": "function_call",
        "call_id": listing.new_id("call_"),
        "name": call.name,
        "arguments": json.dumps(call.arguments),
        "status": "completed",
    }


def _message(said: _Said) -> JsonObject:
    return {
        "id": listing.new_id("msg_"),
        "type": "message",
        "status": "completed" if said.is_complete else "incomplete",
        "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": said.text}],
        "role": "assistant",
    }


def _usage(carried: int, said: _Said) -> JsonObject:
    return {
        "input_tokens": carried,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": said.output_tokens,
        "output_tokens_details": {"reasoning_tokens": said.reasoning_tokens},
        "total_tokens": carried + said.output_tokens,
    }


def _echoed(body: JsonObject) -> JsonObject:
    """Return what an answer repeats of its request, with the defaults of what was not said."""
    usual: JsonObject = {
        "frequency_penalty": 0.0,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "safety_identifier": None,
        "store": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "user": None,
    }
    given = {name: body[name] for name in usual if body.get(name) is not None}
    return (
        usual
        | given
        | {
            "model": _SNAPSHOTS.get(body["model"], body["model"]),
            "reasoning": {"effort": None, "summary": None} | (body.get("reasoning") or {}),
            "text": {"verbosity": "medium", "format": {"type": "text"}} | (body.get("text") or {}),
            "tools": [_tool(tool) for tool in body.get("tools") or ()],
        }
    )


def _tool(tool: JsonObject) -> JsonObject:
    if tool["type"] != "file_search":
        return tool
    ranking = {"ranker": "auto", "score_threshold": 0.0} | (tool.get("ranking_options") or {})
    return {"filters": None, "max_num_results": _USUAL_RESULTS, **tool, "ranking_options": ranking}

"""Logs of calls to a model: what was asked, and what OpenAI's or Anthropic's service answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats.tally import Tally, described
from pytest_refinery.sources.formats.values import decoded, timestamp, token_counts
from pytest_refinery.traces import messages
from pytest_refinery.traces.model import Run, RunKind, Trace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pytest_refinery.traces.model import Json

    _Events = list[dict[str, Any]]

_ONE_RESPONSE = (
    "the file holds responses of a model without what it was asked, so calls in earlier responses may be missing"
)
_REQUESTS = ("request", "req", "request_body", "kwargs", "params")
_RESPONSES = ("response", "res", "response_body", "completion", "result")
_ASKED = frozenset({"messages", "input", "prompt", "contents"})
_ANSWERED = frozenset({"choices", "output", "content", "completion", "candidates"})
_BODIES = ("body", "json", "content")
_TIMES = (
    ("started_at", "start_time", "startTime", "request_time", "timestamp", "created_at", "time"),
    ("ended_at", "end_time", "endTime", "response_time"),
)
_ERRORS = ("error", "exception")
_READ = frozenset({*_REQUESTS, *_RESPONSES, *_ERRORS, "id", "custom_id", "name", "model"}.union(*_TIMES))
_ENDED = frozenset({"response.completed", "response.incomplete", "response.failed"})
# Where an Anthropic block grows, by the type of the delta.
_GROWING = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


class ModelCalls:
    """Collects the calls of one log; each is a run of its own."""

    what = "calls of a model"

    def __init__(self, source: str) -> None:
        self._source = source
        self._runs: list[Run] = []
        self._ids: set[str] = set()
        self._fields = Tally("Fields of calls that a run has no place for, kept as its metadata")
        self._others = Tally("Records that are no calls, not read")

    @staticmethod
    def recognises(record: object) -> bool:
        """Tell whether a JSON value is one call of a model: a request with its response."""
        if not isinstance(record, Mapping):
            return False
        request, response = _request(record), _response(record)
        if response is not None:
            return request is not None or (isinstance(response, Mapping) and not _ANSWERED.isdisjoint(response))
        return request is not None and any(record.get(key) for key in _ERRORS)

    def add(self, record: object) -> bool:
        """Add a call."""
        is_known = isinstance(record, Mapping) and self.recognises(record)
        self._others.add(1, () if is_known else [described(record)])
        if isinstance(record, Mapping) and is_known:
            self._runs.append(self._run(record))
        return is_known

    def trace(self) -> Trace:
        """Return the trace, the calls in the order of the file.

        Raises:
            TraceError: There is no call.
        """
        if not self._runs:
            msg = f"{self._source}: there is no call of a model in it."
            raise TraceError(msg)
        notes = (*self._fields.notes(), *self._others.notes())
        is_part = not any(messages.read(run.inputs).messages for run in self._runs)
        return Trace(
            id=self._runs[0].id,
            name=self._runs[0].name,
            runs=tuple(self._runs),
            source=self._source,
            format="message-log",
            notes=notes,
            calls_unknown=_ONE_RESPONSE if is_part else "",
        )

    def _run(self, record: Mapping[str, Any]) -> Run:
        request, response = _request(record) or _instructions(record), _response(record)
        answer: Mapping[str, Any] = response if isinstance(response, Mapping) else {}
        left = {key: value for key, value in record.items() if key not in _READ and request is not record}
        self._fields.add(len(record), left)
        model = next((str(m["model"]) for m in (request, answer, record) if m.get("model")), "model")
        error = _error(record, answer)
        usage = answer.get("usage") or answer.get("usageMetadata")
        return Run(
            id=self._unique(record.get("id") or answer.get("id") or record.get("custom_id")),
            name=model,
            kind=RunKind.LLM,
            inputs={key: value for key, value in request.items() if key not in _RESPONSES} or None,
            outputs=None if error and not _ANSWERED.intersection(answer) else response,
            error=error,
            started_at=_time(record, _TIMES[0]),
            ended_at=_time(record, _TIMES[1]),
            metadata=left,
            settings={} if "model" in request else {"model": model},
            usage=token_counts(usage) if isinstance(usage, Mapping) else {},
        )

    def _unique(self, call_id: object) -> str:
        numbered = (f"call-{number}" for number in count(len(self._runs) + 1))
        known = next(key for key in chain([str(call_id or "")], numbered) if key and key not in self._ids)
        self._ids.add(known)
        return known


def _request(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    inner = next((found for found in _inside(record, _REQUESTS) if not _ASKED.isdisjoint(found)), None)
    if inner is not None:
        return inner
    return record if any(record.get(key) for key in _ASKED) and "model" in record else None


def _instructions(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a bare response repeats of its request."""
    told = record.get("instructions")
    asked = record.get("input")
    return {
        key: value
        for key, value in (("instructions", told), ("input", asked))
        if isinstance(value, str | list) and value
    }


def _response(record: Mapping[str, Any]) -> Json:
    """Return what the service answered: its body, its events joined, or the bare text that a logger kept of it."""
    answers = [*_inside(record, _RESPONSES)]
    answer = next((found for found in answers if not _ANSWERED.isdisjoint(found)), answers[0] if answers else None)
    if answer is not None:
        return dict(answer)
    if record.get("object") in ("chat.completion", "response") or "choices" in record:
        return dict(record)
    bare = next(
        (value for key in _RESPONSES if isinstance(value := decoded(record.get(key)), str | list) and value), None
    )
    return joined_events(bare) if isinstance(bare, list) else bare


def _inside(record: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    """Yield the objects under ``keys``, and the bodies of those that are HTTP messages."""
    for key in keys:
        value = decoded(record.get(key))
        if isinstance(value, dict):
            bodies = (decoded(value.get(body)) for body in _BODIES)
            yield from (body for body in bodies if isinstance(body, dict))
            yield value


def _error(record: Mapping[str, Any], answer: Mapping[str, Any]) -> str | None:
    error = next((source[key] for source in (record, answer) for key in _ERRORS if source.get(key)), None)
    if not isinstance(error, Mapping):
        return str(error) if error else None
    return str(error.get("message") or dict(error))


def _time(record: Mapping[str, Any], keys: tuple[str, ...]) -> datetime | None:
    return next((found for key in keys if (found := timestamp(record.get(key)))), None)


def joined_events(events: Sequence[Json]) -> Json:
    """Return the answer that the events of OpenAI's or Anthropic's streams make; anything else as it is."""
    records = [event for event in events if isinstance(event, dict)]
    answers = (make(records) for make in (_of_responses, _of_chunks, _of_blocks))
    return next((answer for answer in answers if answer is not None), list(events))


def _of_responses(events: _Events) -> Json:
    return next((event.get("response") for event in reversed(events) if str(event.get("type")) in _ENDED), None)


def _of_chunks(events: _Events) -> Json:
    choices = [choice for event in events for choice in _objects(event.get("choices"))]
    deltas = [delta for choice in choices if isinstance(delta := choice.get("delta"), dict)]
    if not deltas:
        return None
    calls: dict[str, dict[str, Any]] = {}
    for piece in (piece for delta in deltas for piece in _objects(delta.get("tool_calls"))):
        _grow(calls.setdefault(str(piece.get("index")), {"name": "", "arguments": ""}), piece)
    message: Json = {"role": "assistant", "content": _text_of(deltas, "content"), "tool_calls": list(calls.values())}
    ending = next((choice["finish_reason"] for choice in reversed(choices) if choice.get("finish_reason")), None)
    return {**_last_of(events, "model", "usage", "id"), "choices": [{"message": message, "finish_reason": ending}]}


def _grow(call: dict[str, Any], piece: dict[str, Any]) -> None:
    function = piece.get("function")
    said = function if isinstance(function, dict) else {}
    call["id"] = call.get("id") or piece.get("id")
    for key in ("name", "arguments"):
        call[key] += str(said.get(key) or "")


def _of_blocks(events: _Events) -> Json:
    start = next((event.get("message") for event in events if event.get("type") == "message_start"), None)
    if not isinstance(start, dict):
        return None
    blocks: dict[str, dict[str, Any]] = {}
    for event in events:
        block, delta = event.get("content_block"), event.get("delta")
        if isinstance(block, dict):
            blocks[str(event.get("index"))] = {**block, "partial_json": ""}
        elif isinstance(delta, dict) and (key := _GROWING.get(str(delta.get("type")))):
            known = blocks.setdefault(str(event.get("index")), {"type": "text"})
            known[key] = str(known.get(key) or "") + str(delta.get(key) or "")
    return {**start, **_last_of(events, "usage"), "content": [_whole(block) for block in blocks.values()]}


def _whole(block: dict[str, Any]) -> dict[str, Json]:
    written = block.pop("partial_json", "")
    return {**block, "input": written} if written else block


def _last_of(events: _Events, *keys: str) -> dict[str, Json]:
    return {key: next((event[key] for event in reversed(events) if event.get(key)), None) for key in keys}


def _text_of(deltas: _Events, key: str) -> str:
    return "".join(delta[key] for delta in deltas if isinstance(delta.get(key), str))


def _objects(value: Json) -> Iterator[dict[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())

"""Sessions of Codex: the rollouts it keeps, the events it prints (``codex exec --json``), bare items of either."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats.session_log import Session
from pytest_refinery.sources.formats.tally import Tally
from pytest_refinery.sources.formats.values import decoded, timestamp, token_counts

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_refinery.traces.model import Json, Trace

_LINES = frozenset({"session_meta", "response_item", "event_msg", "turn_context", "compacted"})
_EVENTS = ("thread.", "turn.", "item.")
_CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
_RESULTS = frozenset({"function_call_output", "custom_tool_call_output", "local_shell_call_output"})
# Events that repeat what stands in the items beside them, and those that only mark a place.
_REPEATED = frozenset(
    {"user_message", "agent_message", "agent_reasoning", "agent_message_delta", "agent_reasoning_section_break"}
    | {"task_started", "task_complete", "thread.started", "turn.started", "item.updated"}
)
_ACTIONS = {
    "command_execution": ("command",),
    "mcp_tool_call": ("server", "tool", "arguments"),
    "file_change": ("changes",),
    "web_search": ("query",),
}
_OUTPUTS = ("aggregated_output", "result", "error", "status")


class CodexLines:
    """Collects the lines of one session."""

    what = "lines of a Codex session"

    def __init__(self, source: str) -> None:
        self._source = source
        self._session = Session("Codex session")
        self._model: str | None = None
        self._id = ""
        self._at: datetime | None = None
        self._lines = Tally("Lines that are no messages, not read")
        self._said: set[str] = set()

    @staticmethod
    def recognises(record: object) -> bool:
        """Tell whether a JSON value is a line, an event or an item of a session."""
        if not isinstance(record, Mapping):
            return False
        kind = _word(record.get("type"))
        is_line = kind in _LINES and isinstance(record.get("payload"), Mapping)
        is_head = {"id", "timestamp", "instructions"} <= record.keys()
        return is_line or is_head or kind.startswith(_EVENTS)

    def add(self, record: object) -> bool:
        """Add a line, an event or an item."""
        line: Mapping[str, Any] = record if isinstance(record, Mapping) else {}
        self._at = timestamp(line.get("timestamp")) or self._at
        is_read = self._line(line)
        self._lines.add(1, () if is_read else [_kind(line)])
        return is_read or self.recognises(record)

    def trace(self) -> Trace:
        """Return the trace.

        Raises:
            TraceError: No one says or does anything in the session.
        """
        if not self._session:
            msg = f"{self._source}: no one says or does anything in this Codex session."
            raise TraceError(msg)
        return self._session.trace(
            id=self._id or "session", source=self._source, format="codex", notes=self._lines.notes()
        )

    def _line(self, line: Mapping[str, Any]) -> bool:
        kind, payload, item = _word(line.get("type")), line.get("payload"), line.get("item")
        if isinstance(item, Mapping):
            return self._done(item, is_over=kind == "item.completed")
        if kind == "event_msg" and isinstance(payload, Mapping):
            return self._event(payload)
        if kind == "turn_context" and isinstance(payload, Mapping):
            self._model = str(payload["model"]) if payload.get("model") else self._model
            return True
        if kind == "session_meta" or "instructions" in line:
            return self._head(payload if isinstance(payload, Mapping) else line)
        if kind == "thread.started":
            self._id = self._id or str(line.get("thread_id") or "")
        if kind in {"turn.completed", "turn.failed", "error"}:
            return self._turned(line)
        return self._item(payload if isinstance(payload, Mapping) else line) or kind in _REPEATED

    def _head(self, about: Mapping[str, Any]) -> bool:
        self._id = self._id or str(about.get("id") or "")
        told = about.get("base_instructions") or about.get("instructions")
        text = told.get("text") if isinstance(told, Mapping) else told
        if isinstance(text, str) and text:
            self._session.main.tell({"role": "system", "content": text}, at=self._at)
        return True

    def _event(self, event: Mapping[str, Any]) -> bool:
        kind = _word(event.get("type"))
        if kind == "token_count":
            info = event.get("info")
            usage = info.get("last_token_usage") if isinstance(info, Mapping) else None
            self._session.main.count(token_counts(usage) if isinstance(usage, Mapping) else {})
            return True
        if kind in {"error", "turn_aborted"}:
            self._session.root.error = str(event.get("message") or event.get("reason") or kind)
            return True
        return kind in _REPEATED

    def _turned(self, line: Mapping[str, Any]) -> bool:
        usage, error = line.get("usage"), line.get("error")
        if isinstance(usage, Mapping):
            self._session.root.usage = token_counts(usage)
        said = error.get("message") if isinstance(error, Mapping) else line.get("message")
        if line.get("type") != "turn.completed":
            self._session.root.error = str(said or "The turn has failed.")
        return True

    def _item(self, item: Mapping[str, Any]) -> bool:
        """Read an item of the Responses API."""
        kind, role, thread = _word(item.get("type")), item.get("role"), self._session.main
        if kind in _RESULTS:
            thread.answer(str(item.get("call_id")), _result(item), at=self._at)
        elif kind in _CALLS:
            thread.say(_call(item), at=self._at, model=self._model)
        elif kind == "reasoning":
            thread.say({"role": "assistant", "content": [dict(item)]}, at=self._at, model=self._model)
        elif role == "assistant":
            thread.say(dict(item), at=self._at, model=self._model)
        elif isinstance(role, str) and "content" in item:
            thread.tell(dict(item), at=self._at)
        else:
            return False
        return True

    def _done(self, item: Mapping[str, Any], *, is_over: bool) -> bool:
        """Read an item of ``codex exec``: something said, or an action with its outcome."""
        kind, text = _word(item.get("type") or item.get("item_type")), item.get("text", item.get("content"))
        thread = self._session.main
        if kind in _ACTIONS:
            self._act(item, kind, is_over=is_over)
        elif kind in {"agent_message", "assistant_message"} and isinstance(text, str | list):
            thread.say({"role": "assistant", "content": text}, at=self._at)
        elif kind == "reasoning" and isinstance(text, str):
            thread.say({"role": "assistant", "content": [{"type": "thinking", "thinking": text}]}, at=self._at)
        elif kind == "error":
            self._session.root.error = str(item.get("message"))
        else:
            return False
        return True

    def _act(self, item: Mapping[str, Any], kind: str, *, is_over: bool) -> None:
        call_id, name = str(item.get("id")), str(item.get("tool") or kind)
        if call_id not in self._said:
            self._said.add(call_id)
            arguments = {key: item[key] for key in _ACTIONS[kind] if item.get(key) is not None}
            called = {"id": call_id, "name": name, "arguments": item.get("arguments") or arguments}
            self._session.main.say({"role": "assistant", "content": "", "tool_calls": [called]}, at=self._at)
        if is_over:
            given: Json = next((item[key] for key in _OUTPUTS if item.get(key) not in (None, "")), "")
            given = given["content"] if isinstance(given, dict) and "content" in given else given
            message: Json = {"role": "tool", "name": name, "tool_call_id": call_id, "content": given}
            self._session.main.answer(call_id, message, at=self._at, error=_failure(item))


def _word(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _kind(line: Mapping[str, Any]) -> str:
    inner = line.get("payload") or line.get("item")
    return str((inner.get("type") if isinstance(inner, Mapping) else None) or line.get("type") or "...")


def _call(item: Mapping[str, Any]) -> Json:
    arguments = item.get("arguments", item.get("input", item.get("action")))
    called = {"id": item.get("call_id"), "name": item.get("name") or "shell", "arguments": arguments}
    return {"role": "assistant", "content": "", "tool_calls": [called]}


def _result(item: Mapping[str, Any]) -> Json:
    output = decoded(item.get("output"))
    inner = output.get("output", output.get("content")) if isinstance(output, dict) else None
    content = inner if isinstance(inner, str) else item.get("output")
    return {"role": "tool", "tool_call_id": item.get("call_id"), "content": content}


def _failure(item: Mapping[str, Any]) -> str | None:
    error, code = item.get("error"), item.get("exit_code")
    if isinstance(error, Mapping) and error.get("message"):
        return str(error["message"])
    if isinstance(code, int) and code != 0:
        return f"The command ended with exit code {code}."
    return "The action has failed." if item.get("status") == "failed" else None

"""Sessions of Claude Code: the JSON lines it keeps, and those it prints (``--output-format stream-json``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats.session_log import Session
from pytest_refinery.sources.formats.tally import Tally, described
from pytest_refinery.sources.formats.values import timestamp, token_counts
from pytest_refinery.traces import messages

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_refinery.sources.formats.session_log import Thread
    from pytest_refinery.traces.model import Json, Trace

_SPOKEN = frozenset({"user", "assistant"})
# Lines beside the conversation: what the program remembers for itself.
_OTHERS = frozenset(
    {"summary", "file-history-snapshot", "queue-operation", "permission-mode", "attachment", "progress", "system"}
    | {"last-prompt", "custom-title", "ai-title", "agent-name", "mode", "result", "stream_event", "rate_limit_event"}
)
_SESSION_KEYS = ("sessionId", "session_id", "leafUuid", "messageId", "parentUuid")


class ClaudeCodeLines:
    """Collects the lines of one session."""

    what = "lines of a Claude Code session"

    def __init__(self, source: str) -> None:
        self._source = source
        self._session = Session("Claude Code session")
        self._threads: dict[str, Thread] = {}
        self._thread_of_line: dict[str, str] = {}
        self._calls_by_prompt: dict[str, str] = {}
        self._id = ""
        self._lines = Tally("Lines that are no messages, not read")

    @staticmethod
    def recognises(record: object) -> bool:
        """Tell whether a JSON value is a line of a session."""
        if not isinstance(record, Mapping):
            return False
        kind = _text(record.get("type"))
        if kind != "file-history-snapshot" and not any(key in record for key in _SESSION_KEYS):
            return False
        return (kind in _SPOKEN and isinstance(record.get("message"), Mapping)) or kind in _OTHERS

    def add(self, record: object) -> bool:
        """Add a line."""
        line: Mapping[str, Any] = record if isinstance(record, Mapping) else {}
        self._id = self._id or str(line.get("sessionId") or line.get("session_id") or "")
        message, kind = line.get("message"), _text(line.get("type"))
        is_spoken = kind in _SPOKEN and isinstance(message, Mapping)
        self._lines.add(1, () if is_spoken or kind == "result" else [described(record)])
        if kind == "result":
            self._end(line)
        elif isinstance(message, Mapping) and kind == "assistant":
            self._say(line, message)
        elif isinstance(message, Mapping) and kind == "user":
            self._tell(line, message)
        return self.recognises(record)

    def trace(self) -> Trace:
        """Return the trace.

        Raises:
            TraceError: No one says anything in the session.
        """
        if not self._session:
            msg = f"{self._source}: no one says anything in this Claude Code session."
            raise TraceError(msg)
        session_id = self._id or "session"
        return self._session.trace(id=session_id, source=self._source, format="claude-code", notes=self._lines.notes())

    def _say(self, line: Mapping[str, Any], message: Mapping[str, Any]) -> None:
        spoken = {"role": "assistant", **message}
        has_failed = line.get("isApiErrorMessage") is True
        read = messages.read(spoken).messages
        usage = message.get("usage")
        self._thread(line, spoken).say(
            spoken,
            id=message.get("id") if isinstance(message.get("id"), str) else None,
            at=_time(line),
            model=message.get("model") if isinstance(message.get("model"), str) else None,
            usage=token_counts(usage) if isinstance(usage, Mapping) else None,
            error="".join(said.text for said in read) if has_failed else None,
        )
        for call in (call for said in read for call in said.tool_calls if call.id):
            prompt = call.arguments.get("prompt") if isinstance(call.arguments, Mapping) else None
            if isinstance(prompt, str):
                self._calls_by_prompt[prompt] = str(call.id)

    def _tell(self, line: Mapping[str, Any], message: Mapping[str, Any]) -> None:
        spoken = {"role": "user", **message}
        thread = self._thread(line, spoken)
        content = spoken.get("content")
        blocks = content if isinstance(content, list) else []
        results = [block for block in blocks if isinstance(block, dict) and block.get("type") == "tool_result"]
        for block in results:
            found = messages.read([{"role": "user", "content": [block]}]).messages
            said = "".join(each.text for each in found)
            error = (said or "The tool says that it failed.") if block.get("is_error") is True else None
            thread.answer(
                _text(block.get("tool_use_id")), {"role": "user", "content": [block]}, at=_time(line), error=error
            )
        others = [block for block in blocks if block not in results] if results else content
        if others:
            thread.tell({**spoken, "content": others}, at=_time(line))

    def _thread(self, line: Mapping[str, Any], message: Mapping[str, Any]) -> Thread:
        key = self._key(line)
        if uuid := _text(line.get("uuid")):
            self._thread_of_line[uuid] = key
        if not key:
            return self._session.main
        if key not in self._threads:
            self._threads[key] = self._session.thread(self._caller(line, message))
        return self._threads[key]

    def _key(self, line: Mapping[str, Any]) -> str:
        """Return which agent a line is of, "" for the one that the user talks to."""
        if caller := _text(line.get("parent_tool_use_id")):
            return caller
        if line.get("isSidechain") is not True:
            return ""
        above = self._thread_of_line.get(str(line.get("parentUuid")), "")
        return _text(line.get("agentId")) or above or _text(line.get("uuid")) or "sidechain"

    def _caller(self, line: Mapping[str, Any], message: Mapping[str, Any]) -> str:
        """Return the run that a sub-agent works for: the call with its prompt."""
        stated = _text(line.get("parent_tool_use_id"))
        if stated is not None and self._session.known(stated):
            return stated
        prompt = "".join(said.text for said in messages.read(message).messages)
        return self._calls_by_prompt.get(prompt, self._session.root.id)

    def _end(self, line: Mapping[str, Any]) -> None:
        said = line.get("result")
        if line.get("is_error") is True:
            self._session.root.error = str(said or line.get("subtype") or "The session has failed.")
        elif isinstance(said, str):
            self._session.root.outputs = said


def _time(line: Mapping[str, Any]) -> datetime | None:
    return timestamp(line.get("timestamp"))


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None

"""What a digest leaves out of a trace, so that its header can say so."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.traces.model import Run


class Omission(StrEnum):
    """One kind of thing left out, in the words of the header."""

    NULLS = "null fields"
    IDS = "ids of messages and calls"
    RESPONSE_METADATA = "response metadata"
    TOOL_DESCRIPTIONS = "descriptions in tool schemas"
    MEDIA = "contents of images and files"
    MESSAGE_FIELDS = "other fields beside a message's content"
    TIMES = "start times"
    TAGS = "tags and metadata"
    USAGE = "token counts"
    TEMPLATES = "serialised components"
    NAMES = "ends of names longer than 200 characters"
    SPEAKERS = "speakers that only some copies of a message name"


_ID_KEYS = frozenset({"tool_call_id", "call_id", "tool_use_id"})
_METADATA_KEYS = frozenset(
    {"response_metadata", "usage_metadata", "generation_info", "additional_kwargs", "llm_output"}
)
_MEDIA_KEYS = frozenset({"image_url", "input_audio", "inlineData", "inline_data", "file_data", "base64"})
# What a message's copy in the digest says, and what is no part of it.
_MESSAGE_KEYS = (
    frozenset(
        {"role", "type", "name", "content", "refusal", "reasoning_content", "parts", "status", "is_error", "example"}
    )
    | {"tool_calls", "invalid_tool_calls", "tool_call_chunks", "function_call", "chunk_position", "id", "index"}
    | _ID_KEYS
    | _METADATA_KEYS
)


class Omissions:
    """Collects what was left out of one trace."""

    def __init__(self) -> None:
        self._found: set[Omission] = set()
        self._scanned: set[int] = set()

    def add(self, omission: Omission) -> None:
        """Note that something of this kind was left out."""
        self._found.add(omission)

    def note(self, run: Run) -> None:
        """Note what a digest never takes from a run."""
        fields = {
            Omission.TIMES: run.started_at,
            Omission.TAGS: run.tags or run.metadata,
            Omission.USAGE: run.usage,
            Omission.TEMPLATES: run.template,
        }
        self._found.update(omission for omission, value in fields.items() if value)
        self._scan([run.inputs, run.outputs])

    def __str__(self) -> str:
        return ", ".join(omission for omission in Omission if omission in self._found)

    def _scan(self, waiting: list[object]) -> None:
        while waiting:
            here = waiting.pop()
            if isinstance(here, list):
                waiting.extend(here)
            elif isinstance(here, dict) and id(here) not in self._scanned:
                # The runs keep their values alive, so an id stands for one object.
                self._scanned.add(id(here))
                self._found.update(_omitted(here))
                waiting.extend(here.values())


def _omitted(value: dict[str, object]) -> Iterator[Omission]:
    if None in value.values():
        yield Omission.NULLS
    if not _ID_KEYS.isdisjoint(value):
        yield Omission.IDS
    if not _MEDIA_KEYS.isdisjoint(value):
        yield Omission.MEDIA
    if any(value.get(key) for key in _METADATA_KEYS.intersection(value)):
        yield Omission.RESPONSE_METADATA
    if "content" in value and ("role" in value or "type" in value):
        yield from _omitted_of_message(value)


def _omitted_of_message(value: dict[str, object]) -> Iterator[Omission]:
    if value.get("id"):
        yield Omission.IDS
    if any(value[key] for key in value.keys() - _MESSAGE_KEYS):
        yield Omission.MESSAGE_FIELDS

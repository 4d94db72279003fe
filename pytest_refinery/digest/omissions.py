"""What a digest leaves out of a trace, so that its header can say so."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Run


class Omission(StrEnum):
    """One kind of thing left out, in the words of the header."""

    NULLS = "null fields"
    IDS = "ids of messages and calls"
    RESPONSE_METADATA = "response metadata"
    TOOL_DESCRIPTIONS = "descriptions in tool schemas"
    MEDIA = "contents of images and files"
    TIMES = "start times"
    TAGS = "tags and metadata"
    USAGE = "token counts"
    TEMPLATES = "serialised components"
    NAMES = "ends of names longer than 200 characters"
    SPEAKERS = "speakers that only some copies of a message name"


_IN_VALUES = frozenset({Omission.NULLS, Omission.IDS, Omission.RESPONSE_METADATA, Omission.MEDIA})
_ID_KEYS = frozenset({"tool_call_id", "call_id", "tool_use_id"})
_METADATA_KEYS = frozenset(
    {"response_metadata", "usage_metadata", "generation_info", "additional_kwargs", "llm_output"}
)
_MEDIA_KEYS = frozenset({"image_url", "input_audio", "inlineData", "inline_data", "file_data", "base64"})


class Omissions:
    """Collects what was left out of one trace."""

    def __init__(self) -> None:
        self._found: set[Omission] = set()

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
        for value in (run.inputs, run.outputs):
            if not self._found >= _IN_VALUES:
                self._scan(value)

    def __str__(self) -> str:
        return ", ".join(omission for omission in Omission if omission in self._found)

    def _scan(self, value: object) -> None:
        waiting = [value]
        while waiting:
            here = waiting.pop()
            if isinstance(here, dict):
                self._scan_object(here)
                waiting.extend(here.values())
            elif isinstance(here, list):
                waiting.extend(here)

    def _scan_object(self, value: dict[str, object]) -> None:
        if None in value.values():
            self._found.add(Omission.NULLS)
        if not _ID_KEYS.isdisjoint(value):
            self._found.add(Omission.IDS)
        if not _MEDIA_KEYS.isdisjoint(value):
            self._found.add(Omission.MEDIA)
        if not _METADATA_KEYS.isdisjoint(value) and any(value.get(key) for key in _METADATA_KEYS):
            self._found.add(Omission.RESPONSE_METADATA)

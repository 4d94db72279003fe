"""Server-sent events as values: each a mapping of its fields, JSON in ``data`` as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pytest_refinery.cassettes import json_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.cassettes.json_text import Layout
    from pytest_refinery.traces.model import Json

    Events = list[dict[str, Json]]


def read(content: bytes) -> tuple[Json, Layout] | None:
    """Return the events of a stream and how their JSON is spaced; ``None`` where the same stream cannot be written."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    breaks = " crlf" if "\r\n" in text else ""
    plain = text.replace("\r\n", "\n")
    for spacing, of_data in (("", _json), ("spaced", _json), ("ascii", _json), ("spaced ascii", _json), ("", _text)):
        layout = f"{spacing}{breaks}".strip()
        found = [_fields(block.split("\n"), of_data) for block in plain.removesuffix("\n\n").split("\n\n")]
        if found and written(found, layout) == text:
            return cast("Json", found), layout
    return None


def written(events: Events, layout: Layout) -> str:
    """Return events as the text of a stream."""
    text = "".join(f"{_event(event, layout)}\n" for event in events)
    return text.replace("\n", "\r\n") if "crlf" in layout.split() else text


def _event(event: dict[str, Json], layout: Layout) -> str:
    return "".join(f"{name}: {line}\n" for name, value in event.items() for line in _lines(value, layout))


def _lines(value: Json, layout: Layout) -> list[str]:
    return (value if isinstance(value, str) else json_text.written(value, layout)).split("\n")


def _fields(lines: list[str], of_data: Callable[[str], Json]) -> dict[str, Json]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        fields[name] = f"{fields[name]}\n{value}" if name in fields else value
    return {name: of_data(value) if name == "data" else value for name, value in fields.items()}


def _json(text: str) -> Json:
    try:
        value = json_text.strictly_parsed(text.encode())
    except ValueError:
        return text
    return value if isinstance(value, dict | list) else text


def _text(text: str) -> Json:
    return text

"""Recordings of the real service, whichever format they are in."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Recorded:
    """One exchange: which file, what was asked for, status and body of the answer."""

    file: str
    uri: str
    status: int
    body: dict[str, Any]


def read(folder: Path) -> list[Recorded]:
    """Return all exchanges with an answer in JSON."""
    return [found for path in sorted(folder.rglob("*.yaml*")) for found in _exchanges(path)]


def _exchanges(path: Path) -> Iterator[Recorded]:
    content = path.read_bytes()
    document = yaml.safe_load(gzip.decompress(content) if path.suffix == ".gz" else content)
    pairs = [(each["request"], each["response"]) for each in document.get("interactions", ())]
    pairs += list(zip(document.get("requests", ()), document.get("responses", ()), strict=True))
    for request, response in pairs:
        body = _body(response)
        if body is not None:
            yield Recorded(path.name, request["uri"], response["status"]["code"], body)


def _body(response: dict[str, Any]) -> dict[str, Any] | None:
    body = response.get("parsed_body")
    if body is None:
        raw = response["body"]
        text = raw.get("string", raw) if isinstance(raw, dict) else raw
        content = text if isinstance(text, bytes) else str(text).encode()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        try:
            body = json.loads(content)
        except ValueError:
            return None
    return body if isinstance(body, dict) else None

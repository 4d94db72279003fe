"""What a request or an answer carries, as a value that can be read and compared; as bytes only where it must be."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args
from urllib.parse import parse_qsl

from pytest_refinery.cassettes import events
from pytest_refinery.cassettes.json_text import Layout, layout_of, strictly_parsed, written

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Json

Kind: TypeAlias = Literal["none", "json", "text", "form", "multipart", "events", "base64"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_BOUNDARY = re.compile(r'boundary="?([^";,]+)"?', re.IGNORECASE)


@dataclass(frozen=True)
class Body:
    """A body.

    Attributes:
        kind: How ``value`` is to be read.
        value: JSON for ``json``; a text for ``text`` and ``base64``; for ``form`` a mapping, with a list where a name
            stands more than once; for ``multipart`` a list of mappings (``name``, ``filename``, ``content-type`` and
            the part's own body under the name of its kind); for ``events`` a list of mappings (``event``, ``data``).
        layout: How the JSON of an answer was spaced: code that works on the raw text finds the same again.
    """

    kind: Kind
    value: Json = None
    layout: Layout = ""


NOTHING = Body("none")


def of_request(content: bytes, content_type: str) -> Body:
    """Read the body of a request; its spacing and boundaries mean nothing and are not kept."""
    media_type = _media_type(content_type)
    if media_type == "multipart/form-data" and (boundary := _BOUNDARY.search(content_type)):
        return Body("multipart", _parts(content, boundary[1].encode()))
    if media_type == "application/x-www-form-urlencoded" and (form := _form(content)) is not None:
        return Body("form", form)
    found = _json(content, media_type)
    return _plain(content) if found is None else Body("json", found.value)


def of_response(content: bytes, content_type: str) -> Body:
    """Read the body of an answer so that ``rendered`` gives the same bytes again."""
    media_type = _media_type(content_type)
    if media_type == "text/event-stream":
        found = events.read(content)
        return _plain(content) if found is None else Body("events", *found)
    parsed = _json(content, media_type)
    layout = None if parsed is None else layout_of(parsed.value, content)
    return _plain(content) if parsed is None or layout is None else Body("json", parsed.value, layout)


def rendered(body: Body) -> bytes:
    """Return the bytes of an answer's body."""
    if body.kind == "json":
        return written(body.value, body.layout).encode()
    if body.kind == "events":
        return events.written(cast("list[dict[str, Json]]", body.value), body.layout).encode()
    if body.kind == "base64":
        return base64.b64decode(str(body.value))
    return str(body.value).encode() if body.kind == "text" else b""


@dataclass(frozen=True)
class _Parsed:
    value: Json


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _json(content: bytes, media_type: str) -> _Parsed | None:
    if media_type.endswith(("/json", "+json")) or (not media_type and content[:1] in {b"{", b"["}):
        try:
            return _Parsed(strictly_parsed(content))
        except ValueError:
            return None
    return None


def _plain(content: bytes) -> Body:
    if not content:
        return NOTHING
    try:
        return Body("text", content.decode("utf-8"))
    except UnicodeDecodeError:
        return Body("base64", base64.b64encode(content).decode())


def _form(content: bytes) -> Json:
    try:
        pairs = parse_qsl(content.decode("utf-8"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        return None
    found: dict[str, Json] = {}
    for name, value in pairs:
        earlier = found.get(name)
        found[name] = value if earlier is None else [*(earlier if isinstance(earlier, list) else [earlier]), value]
    return found


def _parts(content: bytes, boundary: bytes) -> Json:
    delimiter = b"--" + boundary
    pieces = (b"\r\n" + content).split(b"\r\n" + delimiter)[1:-1]
    return [_part(piece.removeprefix(b"\r\n")) for piece in pieces]


def _part(piece: bytes) -> Json:
    head, _, content = piece.partition(b"\r\n\r\n")
    headers = HeaderParser().parsestr(head.decode("utf-8", "replace"))
    body = of_request(content, headers.get("content-type", ""))
    part: dict[str, Json] = {"name": cast("str | None", headers.get_param("name", header="content-disposition"))}
    if filename := headers.get_filename():
        part["filename"] = filename
    if content_type := headers.get("content-type"):
        part["content-type"] = content_type
    return {**part, body.kind: body.value}

"""Takes out of requests and answers what no one may read in a cassette, and refuses where that is not possible."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from pytest_refinery.errors import CassetteError
from pytest_refinery.scrubbing import secret_shapes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pytest_refinery.cassettes.bodies import Body
    from pytest_refinery.cassettes.interactions import Interaction, Request, Response
    from pytest_refinery.scrubbing.environment import SecretValues
    from pytest_refinery.scrubbing.scrubber import Scrubber
    from pytest_refinery.traces.model import Json

# How gzip (RFC 1952) and Zstandard (RFC 8878) begin.
_SEVERAL = 2
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


@dataclass(frozen=True)
class ExchangeScrubber:
    """Removes secrets from requests and answers."""

    scrubber: Scrubber

    def request(self, request: Request) -> Request:
        """Return a request without secrets."""
        return replace(request, url=self.scrubber.text(request.url), body=self.body(request.body))

    def response(self, response: Response) -> Response:
        """Return an answer without secrets."""
        headers = tuple((name, self.scrubber.text(value)) for name, value in response.headers)
        return replace(response, headers=headers, body=self.body(response.body))

    def body(self, body: Body) -> Body:
        """Return a body without secrets."""
        if body.kind == "base64":
            return body
        if body.kind == "multipart":
            return replace(body, value=[self._part(part) for part in cast("list[dict[str, Json]]", body.value)])
        value = self._lines(str(body.value)) if body.kind == "text" else body.value
        return replace(body, value=self.scrubber.json(value))

    def _lines(self, text: str) -> str:
        """Return a text without the secrets that are spread over JSON in several of its lines, as in a stream."""
        lines = text.split("\n")
        found = {place: value for place, line in enumerate(lines) if (value := _json_of(line)) is not None}
        if len(found) < _SEVERAL:
            return text
        scrubbed = cast("list[Json]", self.scrubber.json(list(found.values())))
        for (place, value), clean in zip(found.items(), scrubbed, strict=True):
            if clean is not value and clean != value:
                head = lines[place][: lines[place].index(lines[place].lstrip("dat: ")[:1])]
                lines[place] = head + json.dumps(clean, ensure_ascii=False)
        return "\n".join(lines)

    def _part(self, part: dict[str, Json]) -> Json:
        scrubbed = {name: value if name == "base64" else self.scrubber.json(value) for name, value in part.items()}
        if "text" in part:
            field = cast("dict[str, Json]", self.scrubber.json({str(part.get("name")): part["text"]}))
            scrubbed["text"] = next(iter(field.values()))
        return scrubbed


def _json_of(line: str) -> Json:
    try:
        return cast("Json", json.loads(line.removeprefix("data:"))) if line.lstrip("dat: ")[:1] in {"{", "["} else None
    except (ValueError, RecursionError):
        return None


def check(interactions: Iterable[Interaction], text: str, *, path: Path, secrets: SecretValues) -> None:
    """Look for secrets that scrubbing cannot remove, in interactions and in the whole ``text`` that is to be written.

    Raises:
        CassetteError: There is one; the message says where and not what.
    """
    for each in interactions:
        if why := _why_not(each, secrets):
            msg = f"The cassette {path} was not written: {each.request} or its answer {why}."
            raise CassetteError(msg)
    if name := secrets.found_in([text]):
        msg = f"The cassette {path} was not written: its head {_holds(name)}."
        raise CassetteError(msg)


def _why_not(interaction: Interaction, secrets: SecretValues) -> str:
    request, response = interaction.request, interaction.response
    unchangeable = [*_unchangeable(request.body), *_unchangeable(response.body)]
    texts = [request.url, *(value for _, value in response.headers), *_texts(request.body), *_texts(response.body)]
    if name := secrets.found_in([*texts, *unchangeable]):
        return _holds(name)
    if any(map(secret_shapes.is_in, unchangeable)):
        return "holds something that looks like a key, in bytes or in pieces where it cannot be removed"
    if "content-encoding" in dict(response.headers) or _is_compressed(request.body):
        return "is compressed in a way that cannot be read here, so no secret in it can be found"
    return ""


def _holds(name: str) -> str:
    return (
        f"holds the value of the environment variable {name}. Keep it out of what is sent, or have it removed: "
        f"ini key refinery_scrub, hook pytest_refinery_scrub"
    )


def _is_compressed(body: Body) -> bool:
    return body.kind == "base64" and base64.b64decode(str(body.value)).startswith(_COMPRESSED)


def _unchangeable(body: Body) -> Iterator[str]:
    """Yield what is not scrubbed: bytes, and what comes about when the pieces of a stream are put together."""
    if body.kind == "base64":
        yield base64.b64decode(str(body.value)).decode("utf-8", "replace")
    if body.kind == "events":
        pieces: dict[str, list[str]] = {}
        for event in cast("list[dict[str, Json]]", body.value):
            for where, text in _leaves(event, ""):
                pieces.setdefault(where, []).append(text)
        yield from ("".join(found) for found in pieces.values() if len(found) > 1)


def _texts(body: Body) -> Iterator[str]:
    return (text for _, text in _leaves(body.value, "")) if body.kind != "base64" else iter(())


def _leaves(value: Json, where: str) -> Iterator[tuple[str, str]]:
    """Yield each text in a value, the names in it too, with the names that lead to it."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, where)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield f"{where}.", name
            yield from _leaves(item, f"{where}.{name}")

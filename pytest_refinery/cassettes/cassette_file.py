"""The file: interactions as YAML for people to review, and back. See ``docs/reference/cassettes.md``."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pytest_refinery.cassettes import yaml_text
from pytest_refinery.cassettes.bodies import KINDS, NOTHING, Body
from pytest_refinery.cassettes.interactions import Interaction, Request, Response
from pytest_refinery.errors import CassetteError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.cassettes.circumstances import Circumstances
    from pytest_refinery.traces.model import Json

VERSION = 1
_HEAD = (
    "# HTTP requests and their answers, recorded by pytest-refinery without secrets. Replayed instead of being sent.\n"
)


def load(path: Path) -> tuple[Interaction, ...] | None:
    """Return what a cassette holds, ``None`` where there is none.

    Raises:
        CassetteError: It cannot be used; it stays as it is.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The cassette {path} cannot be read ({error})."
        raise CassetteError(msg) from error
    return _Reader(path, text).interactions()


def written(
    interactions: Sequence[Interaction],
    *,
    about: str,
    recorded_against: str,
    circumstances: Circumstances | None = None,
) -> str:
    """Return the text of a cassette; the same whatever order concurrent requests were answered in."""
    document: dict[str, Json] = {"cassette": VERSION, "item": about, "recorded_against": recorded_against}
    if circumstances is not None:
        document["circumstances"] = asdict(circumstances)
    document["interactions"] = [_shown(each) for each in sorted(interactions, key=lambda each: each.request.text)]
    return _HEAD + yaml_text.written(document)


def save(path: Path, text: str) -> None:
    """Write a cassette, whole or not at all.

    Raises:
        OSError: It was not possible; the old one is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".draft")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(draft).unlink()
        raise


def _shown(interaction: Interaction) -> Json:
    request, response = interaction.request, interaction.response
    asked: dict[str, Json] = {"method": request.method, "url": request.url}
    if request.content_type:
        asked["content_type"] = request.content_type
    answered: dict[str, Json] = {"status": response.status}
    if response.reason:
        answered["reason"] = response.reason
    if response.headers:
        answered["headers"] = [list[Any](header) for header in response.headers]
    return {"request": asked | _body(request.body), "response": answered | _body(response.body)}


def _body(body: Body) -> dict[str, Json]:
    if body.kind == "none":
        return {}
    return {"layout": body.layout, body.kind: body.value} if body.layout else {body.kind: body.value}


@dataclass
class _Reader:
    path: Path
    text: str

    def interactions(self) -> tuple[Interaction, ...]:
        try:
            document = yaml_text.read(self.text)
        except yaml_text.NotYaml as error:
            raise self._unusable(error.line, f"it is no YAML of plain values: {error}") from error
        return tuple(self._interaction(each) for each in cast("list[Any]", document["interactions"]))

    def _interaction(self, shown: Any) -> Interaction:
        asked, answered = shown["request"], shown["response"]
        request = Request(asked["method"], asked["url"], asked.get("content_type", ""), _read_body(asked))
        headers = tuple((str(name), str(value)) for name, value in answered.get("headers", ()))
        return Interaction(
            request, Response(answered["status"], answered.get("reason", ""), headers, _read_body(answered))
        )

    def _unusable(self, line: int, why: str) -> CassetteError:
        return CassetteError(f"The cassette {self.path}, line {line}: {why}.")


def _read_body(shown: dict[str, Any]) -> Body:
    kind = next((kind for kind in KINDS if kind in shown), None)
    return NOTHING if kind is None else Body(kind, shown[kind], shown.get("layout", ""))

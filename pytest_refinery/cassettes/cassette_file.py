"""The file: interactions as YAML for people to review, and back. See ``docs/reference/cassettes.md``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from pytest_refinery import shared_file
from pytest_refinery.cassettes import yaml_text
from pytest_refinery.cassettes.bodies import KINDS, NOTHING, Body
from pytest_refinery.cassettes.interactions import Interaction, Request, Response
from pytest_refinery.errors import CassetteError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_refinery.traces.model import Json

VERSION = 1
_HEAD = """\
# Requests over HTTP and their answers, recorded by pytest-refinery. They are replayed instead of being sent.
"""
# YAML's own mark of an end: without it, a text that was cut off in its middle would be taken for the whole.
_END = "...\n"


class _Shown(BaseModel):
    """A request or an answer in the file; at most one of the fields of a body is there."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    layout: str = ""
    json_: JsonValue = Field(None, alias="json")
    text: str = ""
    form: dict[str, str | list[str]] = {}
    multipart: list[dict[str, JsonValue]] = []
    events: list[dict[str, JsonValue]] = []
    base64: str = ""

    def body(self) -> Body:
        """Return the body."""
        shown = self.model_dump(by_alias=True, exclude_unset=True)
        kind = next((kind for kind in KINDS if kind in shown), None)
        return NOTHING if kind is None else Body(kind, shown[kind], self.layout)


class _ShownRequest(_Shown):
    method: str
    url: str
    content_type: str = ""
    trial: int = Field(0, ge=0)

    def request(self) -> Request:
        """Return what it says."""
        return Request(self.method, self.url, self.content_type, self.body(), self.trial)


class _ShownResponse(_Shown):
    status: int = Field(ge=100, le=999)
    reason: str = ""
    headers: dict[str, str | list[str]] = {}

    def response(self) -> Response:
        """Return what it says."""
        headers = ((name, value) for name, values in self.headers.items() for value in _listed(values))
        return Response(self.status, self.reason, tuple(headers), self.body())


class _ShownInteraction(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    request: _ShownRequest
    response: _ShownResponse


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    cassette: int
    item: str = ""
    recorded_against: str = ""
    circumstances: dict[str, JsonValue] = {}
    interactions: list[_ShownInteraction]


@dataclass(frozen=True)
class RecordingMetadata:
    """What a replay has to do as the recording did, whatever is set up on the machine that replays.

    Attributes:
        analyst: Who diagnosed and judged; ``""`` where the cassette does not say.
        tokens_per_minute: The limit of the account when the recording began, 30,000 where it was not known: it decides
            how traces are cut.
        variables: The environment variables that said which service was asked; none of them is a secret.
    """

    analyst: str = ""
    tokens_per_minute: int = 30_000
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stamp:
    """Tells one state of a file from another."""

    changed_ns: int
    size: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Stamp | None:
        """Return the stamp of a file, ``None`` where there is none."""
        try:
            found = path.stat()
        except OSError:
            return None
        return cls(found.st_mtime_ns, found.st_size, found.st_ino)


def load(path: Path) -> tuple[Interaction, ...] | None:
    """Return what a cassette holds, ``None`` where there is none.

    Raises:
        CassetteError: It cannot be used; it stays as it is.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        msg = f"The cassette {path} cannot be read: {error.strerror or error}."
        raise CassetteError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"The cassette {path} is no text in UTF-8. Take it back from version control, or record it again."
        raise CassetteError(msg) from error
    return _Reading(path, text).interactions()


def recording_metadata(path: Path) -> RecordingMetadata:
    """Return what the head of a cassette says; the defaults where there is none, or it does not say it."""
    try:
        with path.open(encoding="utf-8") as file:
            head = "".join(takewhile(lambda line: not line.startswith("interactions:"), file))
        found = yaml_text.read(head)["circumstances"]
        variables = {str(name): str(value) for name, value in (found["variables"] or {}).items()}
        return RecordingMetadata(str(found["analyst"]), int(found["tokens_per_minute"]), variables)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml_text.NotYaml):
        # What is wrong with a cassette is said when it is opened.
        return RecordingMetadata()


def written(
    interactions: Iterable[Interaction],
    *,
    about: str,
    recorded_against: str,
    metadata: RecordingMetadata | None = None,
) -> str:
    """Return the text of a cassette; ``interactions`` stay in their order."""
    document: dict[str, Json] = {"cassette": VERSION, "item": about, "recorded_against": recorded_against}
    if metadata is not None:
        document["circumstances"] = asdict(metadata)
    document["interactions"] = [_shown(each) for each in interactions]
    return f"{_HEAD}{yaml_text.written(document)}{_END}"


def save(path: Path, text: str, *, over: Stamp | None) -> None:
    """Write a cassette, whole or not at all.

    Args:
        path: Where.
        text: What.
        over: The stamp of the file that is replaced.

    Raises:
        CassetteError: Another process has written it meanwhile, or it cannot be written; what was there is there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with shared_file.draft(path, text, permissions=shared_file.ORDINARY, is_synced=True) as draft:
            if Stamp.of(path) != over:
                msg = (
                    f"The cassette {path} was written by another process meanwhile: that recording stays, not this one."
                )
                raise CassetteError(msg)
            shared_file.move(draft, path)
    except OSError as error:
        msg = f"The cassette {path} could not be written ({error.strerror or error}): what was there stays."
        raise CassetteError(msg) from error


def _shown(interaction: Interaction) -> Json:
    request, response = interaction.request, interaction.response
    asked: dict[str, Json] = {"method": request.method, "url": request.url, "content_type": request.content_type}
    if request.trial:
        asked["trial"] = request.trial
    answered: dict[str, Json] = {"status": response.status, "reason": response.reason}
    answered["headers"] = _shown_headers(response.headers)
    return {"request": _shown_message(asked, request.body), "response": _shown_message(answered, response.body)}


def _shown_headers(headers: Iterable[tuple[str, str]]) -> dict[str, Json]:
    shown: dict[str, Json] = {}
    for name, value in headers:
        shown[name] = [*_listed(shown[name]), value] if name in shown else value
    return shown


def _shown_message(head: dict[str, Json], body: Body) -> dict[str, Json]:
    head["layout"] = body.layout
    given = {name: value for name, value in head.items() if value not in ("", {})}
    return given if body.kind == "none" else {**given, body.kind: body.value}


def _listed(values: Any) -> list[Any]:  # noqa: ANN401  (a value, or a list of them)
    return values if isinstance(values, list) else [values]


@dataclass(frozen=True)
class _Reading:
    path: Path
    text: str

    def interactions(self) -> tuple[Interaction, ...]:
        document = self._document()
        try:
            found = _Document.model_validate(document)
        except ValidationError as error:
            raise self._unusable(*_first_problem(error)) from error
        return tuple(Interaction(each.request.request(), each.response.response()) for each in found.interactions)

    def _document(self) -> dict[str, Any]:
        document = self._values()
        if not isinstance(document, dict) or "cassette" not in document:
            raise self._error(1, "this is no cassette of pytest-refinery: it does not begin with 'cassette: 1'")
        version = document["cassette"]
        if isinstance(version, int) and version > VERSION:
            msg = (
                f"The cassette {self.path} has version {version}, and this pytest-refinery reads up to {VERSION}. "
                f"Upgrade pytest-refinery, or record it again."
            )
            raise CassetteError(msg)
        self._check_end()
        return document

    def _values(self) -> Any:  # noqa: ANN401  (whatever the file says)
        try:
            return yaml_text.read(self.text)
        except yaml_text.NotYaml as error:
            self._check_end()
            raise self._error(error.line, f"this is no YAML of plain values ({error})") from error

    def _check_end(self) -> None:
        if not self.text.endswith(f"\n{_END}"):
            line = self.text.count("\n") + 1
            raise self._error(line, f"this file is cut off: its last line, {_END.strip()!r}, is missing")

    def _unusable(self, location: tuple[str | int, ...], why: str) -> CassetteError:
        return self._error(yaml_text.line_of(self.text, *location), f"{_named(location)}: {why}")

    def _error(self, line: int, why: str) -> CassetteError:
        return CassetteError(f"{self.path}:{line}: {why}. Take it back from version control, or record it again.")


def _first_problem(error: ValidationError) -> tuple[tuple[str | int, ...], str]:
    first = error.errors(include_url=False, include_context=False)[0]
    return tuple(first["loc"]), str(first["msg"])


def _named(location: tuple[str | int, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).removeprefix(".")

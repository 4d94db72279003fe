"""The file: written whole or not at all, and what is wrong with one is said in a sentence."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.cassettes import cassette_file
from pytest_refinery.cassettes.bodies import NOTHING, Body
from pytest_refinery.cassettes.cassette_file import RecordingMetadata, Stamp
from pytest_refinery.cassettes.interactions import Interaction, Request, Response
from pytest_refinery.errors import CassetteError
from tests.unit.cassettes.exchanges import asked, exchange

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TEXT = """\
# Requests over HTTP and their answers, recorded by pytest-refinery. They are replayed instead of being sent.
cassette: 1
item: a.refinery.yaml::says-so
recorded_against: api.example.com
interactions:
- request:
    method: POST
    url: https://api.example.com/v1/responses
    content_type: application/json
    json:
      input: |-
        One.
        Two.
  response:
    status: 200
    headers:
      content-type: application/json
    layout: indented
    json:
      output: Yes.
      error: null
- request:
    method: GET
    url: https://api.example.com/v1/files/file-0001
  response:
    status: 404
    reason: Gone Fishing
    headers:
      link:
      - "<a>; rel=next"
      - "<b>; rel=prev"
...
"""
_INTERACTIONS = (
    Interaction(
        Request(
            "POST", "https://api.example.com/v1/responses", "application/json", Body("json", {"input": "One.\nTwo."})
        ),
        Response(
            200,
            "",
            (("content-type", "application/json"),),
            Body("json", {"output": "Yes.", "error": None}, "indented"),
        ),
    ),
    Interaction(
        Request("GET", "https://api.example.com/v1/files/file-0001", "", NOTHING),
        Response(404, "Gone Fishing", (("link", "<a>; rel=next"), ("link", "<b>; rel=prev")), NOTHING),
    ),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])), st.lists
)


def _written(interactions: Sequence[Interaction]) -> str:
    return cassette_file.written(interactions, about="a.refinery.yaml::says-so", recorded_against="api.example.com")


def _loaded(folder: Path, text: str) -> tuple[Interaction, ...] | None:
    path = folder / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return cassette_file.load(path)


def test_a_cassette_is_written_for_people_to_read() -> None:
    assert _written(_INTERACTIONS) == _TEXT


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    assert _loaded(tmp_path, _TEXT) == _INTERACTIONS


def test_circumstances_stand_in_the_head(tmp_path: Path) -> None:
    text = cassette_file.written(
        _INTERACTIONS, about="a", recorded_against="b", metadata=RecordingMetadata("openai", 30_000, {"A": "b"})
    )

    assert "circumstances:\n  analyst: openai\n  tokens_per_minute: 30000\n  variables:\n    A: b\n" in text
    assert _loaded(tmp_path, text) == _INTERACTIONS


@pytest.mark.parametrize(
    "body",
    [
        NOTHING,
        Body("json", None),
        Body("json", [], "spaced ascii line"),
        Body("text", "a\n b \n\n"),
        Body("form", {"a": "1", "b": ["2", "3"]}),
        Body("multipart", [{"name": "file", "filename": "a.md", "text": "x\ny\n"}, {"name": "n", "json": {"a": 1}}]),
        Body("events", [{"event": "delta", "data": {"a": "b"}}, {"data": "[DONE]"}]),
        Body("base64", "/wA="),
    ],
    ids=lambda body: body.kind,
)
def test_every_kind_of_body_comes_back(tmp_path: Path, body: Body) -> None:
    interactions = (Interaction(asked(body), Response(200, "", (), body)),)

    assert _loaded(tmp_path, _written(interactions)) == interactions


@given(_JSON)
def test_any_json_comes_back(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    interactions = (exchange(Body("json", value), Body("json", value)),)  # type: ignore[arg-type]

    assert _loaded(tmp_path_factory.getbasetemp(), _written(interactions)) == interactions


def test_there_may_be_no_file(tmp_path: Path) -> None:
    assert cassette_file.load(tmp_path / "none.yaml") is None


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("", 1, "this is no cassette of pytest-refinery: it does not begin with 'cassette: 1'"),
        ("- a\n...\n", 1, "this is no cassette of pytest-refinery: it does not begin with 'cassette: 1'"),
        (_TEXT[:-30], 30, "this file is cut off: its last line, '...', is missing"),
        (_TEXT.replace("One.\n", "One.\n   Two\n"), 13, "this is no YAML of plain values (did not find expected key)"),
        (
            _TEXT.replace("Yes.", "!!python/object:os.system x"),
            20,
            "this is no YAML of plain values (could not determine a con",
        ),
        (
            _TEXT.replace("status: 404", "status: many"),
            26,
            "interactions[1].response.status: Input should be a valid int",
        ),
        (_TEXT.replace("status: 404", "stat: 404"), 26, "interactions[1].response.status: Field required"),
        (_TEXT.replace("reason: ", "raison: "), 27, "interactions[1].response.raison: Extra inputs are not permitted"),
        (
            _TEXT.replace("method: GET", "method: [GET]"),
            23,
            "interactions[1].request.method: Input should be a valid string",
        ),
        ("version: 1\ninteractions: []\n", 1, "this is no cassette of pytest-refinery"),
    ],
    ids=["empty", "list", "cut", "yaml", "tag", "number", "missing", "misspelled", "text", "of VCR.py"],
)
def test_what_is_wrong_is_said_with_its_line_and_the_file_stays(tmp_path: Path, text: str, line: int, why: str) -> None:
    with pytest.raises(CassetteError) as caught:
        _loaded(tmp_path, text)

    assert str(caught.value).startswith(f"{tmp_path / 'c.yaml'}:{line}: {why}")
    assert str(caught.value).endswith("Take it back from version control, or record it again.")
    assert (tmp_path / "c.yaml").read_text() == text


@pytest.mark.parametrize("place", range(20, len(_TEXT) - 1, 13))
def test_a_file_that_was_cut_off_anywhere_is_never_taken_for_whole(tmp_path: Path, place: int) -> None:
    with pytest.raises(CassetteError):
        _loaded(tmp_path, _TEXT[:place])


def test_a_newer_version_is_told_from_something_wrong(tmp_path: Path) -> None:
    with pytest.raises(CassetteError) as caught:
        _loaded(tmp_path, _TEXT.replace("cassette: 1", "cassette: 2").replace("interactions", "exchanges"))

    assert str(caught.value) == (
        f"The cassette {tmp_path / 'c.yaml'} has version 2, and this pytest-refinery reads up to 1. Upgrade "
        f"pytest-refinery, or record it again."
    )


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"cassette: \xff")

    with pytest.raises(CassetteError, match=r"c\.yaml is no text in UTF-8"):
        cassette_file.load(tmp_path / "c.yaml")


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="cannot be read: Is a directory"):
        cassette_file.load(tmp_path)


def test_a_cassette_is_saved_in_a_new_folder_and_over_an_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.yaml"

    cassette_file.save(path, "old\n", over=None)
    cassette_file.save(path, "new\n", over=Stamp.of(path))

    assert path.read_text() == "new\n"
    assert list(path.parent.iterdir()) == [path]


def test_it_can_be_read_by_whoever_may_read_other_files(tmp_path: Path) -> None:
    (tmp_path / "other").touch()

    cassette_file.save(tmp_path / "c.yaml", "x\n", over=None)

    assert (tmp_path / "c.yaml").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("had", [None, "mine\n"])
def test_what_another_process_wrote_meanwhile_stays(tmp_path: Path, had: str | None) -> None:
    path = tmp_path / "c.yaml"
    if had:
        path.write_text(had)
    before = Stamp.of(path)
    path.unlink(missing_ok=True)
    path.write_text("theirs\n")

    with pytest.raises(CassetteError, match="was written by another process meanwhile: that recording stays, not this"):
        cassette_file.save(path, "ours\n", over=before)

    assert path.read_text() == "theirs\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_cassette_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "c.yaml"
    path.write_text("old\n")
    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(CassetteError) as caught:
        cassette_file.save(path, "new\n", over=Stamp.of(path))

    assert str(caught.value) == (
        f"The cassette {path} could not be written (No space left on device): what was there stays."
    )
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").touch()

    with pytest.raises(CassetteError, match=r"c\.yaml could not be written \(Not a directory\): what was there stays"):
        cassette_file.save(tmp_path / "a" / "b" / "c.yaml", "x\n", over=None)


def test_an_interruption_leaves_the_old_cassette(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(handle: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "c.yaml"
    path.write_text("old\n")
    monkeypatch.setattr(os, "fsync", interrupted)

    with pytest.raises(KeyboardInterrupt):
        cassette_file.save(path, "new\n", over=Stamp.of(path))

    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]

"""What is an id or an address goes to LangSmith, all else to the files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.by_reference import ByReference
from pytest_refinery.sources.json_files import JsonFiles
from tests.fakes import make_trace

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_refinery.traces.model import Trace

RUN = "4f7a1b2c-8d9e-4a0b-9c1d-2e3f4a5b6c7d"
CHAT = json.dumps([{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day."}])


class Remote:
    """A LangSmith that has every trace."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []

    def load(self, reference: str, *, base: Path, project: str | None = None) -> Trace:
        self.asked.append((reference, project))
        return make_trace("there")


@pytest.fixture
def remote() -> Remote:
    return Remote()


@pytest.fixture
def source(remote: Remote) -> ByReference:
    return ByReference(JsonFiles(), lambda: remote)


@pytest.mark.parametrize("reference", [RUN, f"https://smith.langchain.com/public/{RUN}/r"])
def test_ids_and_addresses_go_to_langsmith(source: ByReference, remote: Remote, tmp_path: Path, reference: str) -> None:
    source.load(reference, base=tmp_path, project="support")
    assert remote.asked == [(reference, "support")]


@pytest.mark.parametrize("name", ["chat.json", f"{RUN}.json", f"./{RUN}"])
def test_files_are_read(source: ByReference, remote: Remote, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(CHAT)
    assert len(source.load(name, base=tmp_path).runs) == 2
    assert remote.asked == []


def test_an_id_that_is_the_name_of_a_file_too_is_neither(source: ByReference, remote: Remote, tmp_path: Path) -> None:
    (tmp_path / RUN).write_text(CHAT)
    with pytest.raises(TraceError, match=rf"{RUN}: the id of a trace in LangSmith, or the file .* Write \./{RUN}"):
        source.load(RUN, base=tmp_path)
    assert remote.asked == []


def test_a_path_that_ends_in_an_id_says_how_to_write_the_id(source: ByReference, tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=rf"no such trace file.* If you mean the trace in LangSmith, write .*: {RUN}$"):
        source.load(f"traces/{RUN}", base=tmp_path)


def test_langsmith_is_made_once_and_only_when_it_is_wanted(tmp_path: Path, remote: Remote) -> None:
    made: list[Remote] = []

    def make() -> Remote:
        made.append(remote)
        return remote

    source = ByReference(JsonFiles(), make)
    (tmp_path / "chat.json").write_text(CHAT)
    source.load("chat.json", base=tmp_path)
    assert made == []
    for _ in range(2):
        source.load(RUN, base=tmp_path)
    assert made == [remote]


def test_a_file_that_is_not_there_is_told_as_ever(source: ByReference, tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"gone\.json: no such trace file\.$"):
        source.load("gone.json", base=tmp_path)

"""No file takes all of the memory, or for ever."""

from __future__ import annotations

import gzip
import os
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.errors import TraceError
from pytest_refinery.sources import formats
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.sources.prompt_files import read

if TYPE_CHECKING:
    from pathlib import Path


def refused(path: Path, *, most_mb: int = 4) -> str:
    """Return why a file is refused, and check that little memory was needed for that."""
    tracemalloc.start()
    try:
        with pytest.raises(TraceError) as caught:
            JsonFiles(most_mb=most_mb).load(path.name, base=path.parent)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * most_mb * 1_000_000
    return str(caught.value)


@pytest.mark.parametrize("content", [b" ", b"1 ", b'{"a":"b"}\n'])
def test_a_gzip_bomb_is_refused(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_refinery.sources.formats.json_stream._MOST_RECORDS", 1_000)
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(content * (12_000_000 // len(content)), compresslevel=1))
    said = refused(path)
    assert "MB" in said or "records" in said
    assert "--refinery-max-trace-mb" in said or "no trace has so many" in said


def test_one_huge_value_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    path.write_bytes(b'{"messages": [], "x": "' + b"a" * 3_500_000 + b'"}')
    assert "one value of more than 1 MB; allow more with --refinery-max-trace-mb" in refused(path)


def test_many_members_in_one_value_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_refinery.sources.formats.json_stream._MOST_MEMBERS", 10_000)
    path = tmp_path / "members.json"
    path.write_bytes(b'{"x": [' + b"{}," * 20_000 + b"{}]}")
    assert "more than 10,000 members in one value" in refused(path)


def test_many_records_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_refinery.sources.formats.json_stream._MOST_RECORDS", 1_000)
    path = tmp_path / "records.json"
    path.write_bytes(b"[" + b"{}," * 2_000 + b"{}]")
    assert "more than 1,000 records" in refused(path)


@pytest.mark.skipif(sys.platform == "win32", reason="devices and pipes of POSIX")
def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    for name in ("pipe.json", "zero.json"):
        assert "is no regular file but a device or a pipe; save the trace to a file" in refused(tmp_path / name)


def test_a_limit_that_is_not_reached_changes_nothing(tmp_path: Path) -> None:
    content = b'[{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]'
    (tmp_path / "a.json").write_bytes(content)
    (tmp_path / "b.json").write_bytes(gzip.compress(content))
    assert [len(formats.read(tmp_path / name, most_mb=1).runs) for name in ("a.json", "b.json")] == [2, 2]


def test_a_name_with_a_nul_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="is no name of a file: it holds a NUL character"):
        JsonFiles().load("a\0b.json", base=tmp_path)


@pytest.mark.parametrize("pattern", ["prompts/**.md", "a\0b.md", "a[.md", "**x/**"])
def test_a_pattern_that_cannot_be_used_is_a_mistake(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(TraceError, match="prompts: "):
        read([pattern], base=tmp_path, root=tmp_path)

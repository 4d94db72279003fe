"""Files that several processes share: whole or absent, locked, and nobody else's."""

from __future__ import annotations

import os
import secrets
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pytest_refinery import shared_file
from pytest_refinery.shared_file import ORDINARY, PRIVATE, UnsafeFolderError

posix = pytest.mark.skipif(sys.platform == "win32", reason="permissions and links of POSIX")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that does not exist yet."""
    return tmp_path / "state.json"


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


def test_a_file_is_replaced_and_nothing_stays_beside_it(path: Path) -> None:
    shared_file.replace(path, "one")
    shared_file.replace(path, b"two \xff")
    assert path.read_bytes() == b"two \xff"
    assert names(path.parent) == {"state.json"}


def test_what_is_no_character_becomes_a_question_mark(path: Path) -> None:
    shared_file.replace(path, "half \ud83d a pair")
    assert path.read_text(encoding="utf-8") == "half ? a pair"


@posix
@pytest.mark.parametrize(("permissions", "expected"), [(PRIVATE, 0o600), (ORDINARY, 0o640)])
def test_permissions_are_private_or_follow_the_umask(path: Path, permissions: int, expected: int) -> None:
    before = os.umask(0o027)
    try:
        shared_file.replace(path, "x", permissions=permissions)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == expected


@posix
def test_a_link_in_the_place_of_the_file_is_replaced_and_not_followed(path: Path) -> None:
    victim = path.with_name("victim")
    victim.write_text("theirs", encoding="utf-8")
    path.symlink_to(victim)
    shared_file.replace(path, "ours")
    assert victim.read_text(encoding="utf-8") == "theirs"
    assert not path.is_symlink()


@posix
def test_a_link_in_the_place_of_the_draft_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = path.with_name("victim")
    victim.write_text("theirs", encoding="utf-8")
    monkeypatch.setattr(secrets, "token_hex", lambda _: "guessed")
    path.with_name(".state-guessed.draft").symlink_to(victim)
    with pytest.raises(FileExistsError):
        shared_file.replace(path, "ours")
    assert victim.read_text(encoding="utf-8") == "theirs"


def test_an_error_leaves_the_old_file_and_no_draft(path: Path) -> None:
    shared_file.replace(path, "old")
    with pytest.raises(ZeroDivisionError), shared_file.draft(path, "new"):
        raise ZeroDivisionError
    assert path.read_text(encoding="utf-8") == "old"
    assert names(path.parent) == {"state.json"}


class OpenElsewhere:
    """Stands for a draft on Windows while another process has the file open, for so many attempts."""

    def __init__(self, attempts: int) -> None:
        self.left = attempts

    def replace(self, _: Path) -> None:
        self.left -= 1
        if self.left >= 0:
            raise PermissionError


def test_on_windows_a_file_that_is_open_elsewhere_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_file, "_IS_WINDOWS", True)
    pauses: list[float] = []
    made = OpenElsewhere(3)
    shared_file.move(made, Path("x"), sleep=pauses.append)  # type: ignore[arg-type]
    assert made.left == -1
    assert pauses == sorted(pauses)
    assert len(pauses) == 3


def test_on_windows_the_wait_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_file, "_IS_WINDOWS", True)
    pauses: list[float] = []
    with pytest.raises(PermissionError):
        shared_file.move(OpenElsewhere(1_000), Path("x"), sleep=pauses.append)  # type: ignore[arg-type]
    assert sum(pauses) < 1


@posix
def test_elsewhere_a_refusal_is_final(path: Path) -> None:
    with pytest.raises(PermissionError):
        shared_file.move(OpenElsewhere(1), path, sleep=lambda _: pytest.fail("waited"))  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": 1', b"\0" * 10])
def test_damage_reads_as_nothing(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert shared_file.read_json(path) is None


def test_what_was_written_is_read(path: Path) -> None:
    shared_file.replace(path, '{"a": [1]}')
    assert shared_file.read_json(path) == {"a": [1]}


def test_a_missing_file_reads_as_nothing(path: Path) -> None:
    assert shared_file.read_text(path) is None
    assert shared_file.read_json(path) is None


@posix
def test_only_regular_files_are_read(path: Path) -> None:
    os.mkfifo(path)
    assert shared_file.read_text(path) is None
    assert shared_file.read_text(path.parent) is None
    link = path.with_name("link")
    link.symlink_to("/dev/zero")
    assert shared_file.read_text(link) is None
    assert shared_file.read_text(Path("/dev/null")) is None


@posix
def test_a_private_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = shared_file.private_folder(tmp_path / "cache" / "inner")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@posix
def test_a_folder_that_every_user_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(UnsafeFolderError, match=r"can be written by every user.*chmod go-w"):
        shared_file.private_folder(tmp_path)


@posix
def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = tmp_path.stat().st_uid
    if owner == 0:
        pytest.skip("everything here belongs to root, who is trusted")
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    with pytest.raises(UnsafeFolderError, match="belongs to another user"):
        shared_file.private_folder(tmp_path)


def test_a_lock_is_held_by_one_thread_at_a_time(path: Path) -> None:
    count = 0

    def add() -> None:
        nonlocal count
        for _ in range(20):
            with shared_file.locked(path):
                found = count
                threading.Event().wait(0)
                count = found + 1

    threads = [threading.Thread(target=add) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=30)
    assert count == 80


def test_a_lock_is_waited_for_so_long_and_no_longer(path: Path) -> None:
    with shared_file.locked(path), pytest.raises(TimeoutError), shared_file.locked(path, timeout=0):
        pytest.fail("two hold it")


def test_a_holder_that_dies_releases_the_lock(path: Path) -> None:
    dying = (
        f"import os, pathlib; from pytest_refinery import shared_file\n"
        f"with shared_file.locked(pathlib.Path({str(path)!r})): os._exit(3)"
    )
    assert subprocess.run([sys.executable, "-c", dying], check=False, timeout=60).returncode == 3
    with shared_file.locked(path, timeout=5):
        pass

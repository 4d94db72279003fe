from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.budget import crash_safe_file
from pytest_refinery.budget.crash_safe_file import DamagedFileError, Version

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    crash_safe_file.create(path)
    return path


def test_a_new_file_holds_nothing(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        assert crash_safe_file.read(file) == Version(0)
        assert crash_safe_file.newest_number(file) == 0


def test_the_newest_text_is_read(path: Path) -> None:
    with path.open("r+b", buffering=0) as file:
        for number in range(1, 6):
            crash_safe_file.write(file, Version(number, b"x" * (10 - number)))
            assert crash_safe_file.read(file) == Version(number, b"x" * (10 - number))
            assert crash_safe_file.newest_number(file) == number


def test_a_damaged_slot_leaves_the_one_before(path: Path) -> None:
    with path.open("r+b", buffering=0) as file:
        crash_safe_file.write(file, Version(1, b"one"))
        crash_safe_file.write(file, Version(2, b"two"))
        file.seek(26)
        file.write(b"!")
        assert crash_safe_file.read(file) == Version(1, b"one")


def test_two_damaged_slots_are_a_damaged_file(path: Path) -> None:
    with path.open("r+b", buffering=0) as file:
        for start in (0, crash_safe_file.SLOT_BYTES):
            file.seek(start)
            file.write(b"anything at all, but no header of ours")
        with pytest.raises(DamagedFileError, match="checksums"):
            crash_safe_file.read(file)


def test_a_full_disk_is_an_error() -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            return 3

    with pytest.raises(OSError, match="no space left"):
        crash_safe_file.write(Full(), Version(1, b"text"))

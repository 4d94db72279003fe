from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.budget import two_slots
from pytest_refinery.budget.two_slots import DamagedFileError, Version

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    two_slots.create(path, tmp_path / "draft")
    return path


def test_a_new_file_holds_nothing(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        assert two_slots.read(file) == Version(0)
        assert two_slots.newest_number(file) == 0


def test_the_newest_text_is_read(path: Path) -> None:
    with path.open("r+b", buffering=0) as file:
        for number in range(1, 6):
            two_slots.write(file, Version(number, b"x" * (10 - number)))
            assert two_slots.read(file) == Version(number, b"x" * (10 - number))
            assert two_slots.newest_number(file) == number


def test_a_damaged_slot_leaves_the_one_before(path: Path) -> None:
    with path.open("r+b", buffering=0) as file:
        two_slots.write(file, Version(1, b"one"))
        two_slots.write(file, Version(2, b"two"))
        file.seek(26)
        file.write(b"!")
        assert two_slots.read(file) == Version(1, b"one")


def test_two_damaged_slots_are_a_damaged_file(path: Path) -> None:
    with path.open("r+b", buffering=0) as file:
        for start in (0, two_slots.SLOT_BYTES):
            file.seek(start)
            file.write(b"anything at all, but no header of ours")
        with pytest.raises(DamagedFileError, match="checksums"):
            two_slots.read(file)


def test_a_full_disk_is_an_error() -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            return 3

    with pytest.raises(OSError, match="no space left"):
        two_slots.write(Full(), Version(1, b"text"))

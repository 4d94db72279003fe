from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.budget import crash_safe_file, owners
from pytest_refinery.budget.fallback_ledger import FallbackLedger
from pytest_refinery.budget.file_ledger import FileLedger
from pytest_refinery.budget.ledger import LedgerUnavailableError, Request
from pytest_refinery.budget.state_ledger import MemoryLedger
from pytest_refinery.budget.window import Limits

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = Limits(tokens=1000)


class Clock:
    def __init__(self) -> None:
        self.now = 500.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "budget.json"


@pytest.fixture
def ledger(path: Path, clock: Clock, said: list[str]) -> FileLedger:
    return FileLedger(path, LIMITS, tell=said.append, clock=clock)


def newest(path: Path) -> dict[str, object]:
    with path.open("rb", buffering=0) as file:
        written: dict[str, object] = json.loads(crash_safe_file.read(file).text)
    return written


def rewrite(path: Path, **changes: object) -> None:
    with path.open("r+b", buffering=0) as file:
        version = crash_safe_file.read(file)
        text = json.dumps(json.loads(version.text) | changes).encode()
        crash_safe_file.write(file, crash_safe_file.Version(version.number + 1, text))


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_the_file_is_for_its_user_alone(ledger: FileLedger, path: Path) -> None:
    ledger.poll(Request("a", 1, 1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_another_ledger_on_the_same_file_goes_on_with_it(
    ledger: FileLedger, path: Path, clock: Clock, said: list[str]
) -> None:
    ledger.poll(Request("a", 1000, 1))
    other = FileLedger(path, LIMITS, tell=said.append, clock=clock)
    assert not other.poll(Request("b", 1, 1)).is_granted
    ledger.settle("a", 0)
    assert other.poll(Request("c", 1, 1)).place == 3


def test_a_file_cut_at_any_length_is_set_aside_and_counts_as_used_up(
    ledger: FileLedger, path: Path, clock: Clock, said: list[str]
) -> None:
    ledger.poll(Request("a", 1, 1))
    ledger.poll(Request("b", 1, 1))
    whole = path.read_bytes()
    slots = [range(start, start + 500, 7) for start in (0, crash_safe_file.SLOT_BYTES)]
    for length in [*slots[0], *slots[1], len(whole) - 1]:
        path.write_bytes(whole[:length])
        said.clear()
        assert not ledger.poll(Request("c", 1, 1)).is_granted
        assert len(said) == 1
        assert "budget.unreadable" in said[0]
        assert ledger.status().used_tokens == 1000
    clock.now += 60.0
    assert ledger.poll(Request("c", 1, 1)).is_granted


@pytest.mark.parametrize("write", [1, 2, 3])
def test_a_write_that_was_interrupted_at_any_byte_leaves_the_state_before_it(
    ledger: FileLedger, path: Path, clock: Clock, said: list[str], write: int
) -> None:
    for number in range(write):
        ledger.poll(Request(f"r{number}", 10, 1))
    before = path.read_bytes()
    ledger.poll(Request("interrupted", 100, 1))
    after = path.read_bytes()
    written = [range(start, start + 1000) for start in (0, crash_safe_file.SLOT_BYTES)]
    changed = [index for slot in written for index in slot if before[index] != after[index]]
    for end in range(changed[0], changed[-1], 3):
        with path.open("r+b") as file:
            file.seek(changed[0])
            file.write(after[changed[0] : end] + before[end : changed[-1] + 1])
        other = FileLedger(path, LIMITS, tell=said.append, clock=clock)
        assert other.status().used_tokens == 10 * write
        other.withdraw("nobody")
    assert said == []


def test_a_file_of_a_newer_version_is_set_aside(ledger: FileLedger, path: Path, said: list[str]) -> None:
    ledger.poll(Request("a", 1, 1))
    rewrite(path, version=99)
    assert not ledger.poll(Request("b", 1, 1)).is_granted
    assert "version 99" in said[0]


def test_a_foreign_file_is_set_aside_whole(ledger: FileLedger, path: Path, said: list[str]) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"something else")
    ledger.poll(Request("a", 1, 1))
    assert path.with_suffix(".unreadable").read_bytes() == b"something else"
    assert len(said) == 1


def test_a_state_from_before_a_reboot_long_ago_says_nothing(
    ledger: FileLedger, path: Path, clock: Clock, said: list[str]
) -> None:
    ledger.poll(Request("a", 1000, 1))
    rewrite(path, boot="another", wall=0.0)
    assert FileLedger(path, LIMITS, tell=said.append, clock=clock).poll(Request("b", 1000, 1)).is_granted
    assert said == []


def test_a_state_from_before_a_reboot_a_moment_ago_counts_as_used_up(ledger: FileLedger, path: Path) -> None:
    ledger.poll(Request("a", 1, 1))
    rewrite(path, boot="another")
    assert not ledger.poll(Request("b", 1, 1)).is_granted


def test_times_in_the_future_are_of_another_boot(ledger: FileLedger, path: Path, clock: Clock) -> None:
    ledger.poll(Request("a", 1000, 1))
    rewrite(path, wall=0.0)
    clock.now = 20.0
    assert FileLedger(path, LIMITS, tell=pytest.fail, clock=clock).poll(Request("b", 1000, 1)).is_granted


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_wall_clock_that_jumps_changes_nothing(
    ledger: FileLedger, monkeypatch: pytest.MonkeyPatch, clock: Clock, hours: int
) -> None:
    import time

    ledger.poll(Request("a", 1000, 1))
    wall = time.time() + 3600 * hours
    monkeypatch.setattr(time, "time", lambda: wall)
    step = ledger.poll(Request("b", 1000, 1))
    assert step.start_in == pytest.approx(61.0)
    clock.now += 61.1
    assert ledger.poll(Request("b", 1000, 1, step.place)).is_granted


def test_an_hour_of_sleep_leaves_the_minute_empty(ledger: FileLedger, clock: Clock) -> None:
    ledger.poll(Request("a", 1000, 1))
    place = ledger.poll(Request("b", 1000, 1)).place
    clock.now += 3600.0
    assert ledger.poll(Request("b", 1000, 1, place)).is_granted


def test_a_look_without_the_lock_finds_what_others_gave_back(ledger: FileLedger, clock: Clock) -> None:
    ledger.poll(Request("a", 1000, 1))
    request = Request("b", 500, 1, ledger.poll(Request("b", 500, 1)).place)
    clock.now += 0.1
    first = ledger.poll(request)
    clock.now += 0.1
    again = ledger.poll(request)
    assert again.start_in == pytest.approx(first.start_in - 0.1)
    ledger.settle("a", 100)
    assert ledger.poll(request).is_granted


@pytest.mark.parametrize("what", ["file", "folder", "lock"])
def test_what_was_deleted_counts_as_used_by_those_who_had_used_it(
    ledger: FileLedger, path: Path, clock: Clock, said: list[str], what: str
) -> None:
    ledger.poll(Request("a", 600, 1))
    ledger.settle("a", 600)
    place = ledger.poll(Request("b", 500, 1)).place
    if what == "folder":
        shutil.rmtree(path.parent)
    else:
        (path if what == "file" else path.with_suffix(".lock")).unlink()
    clock.now += 1.0
    assert not ledger.poll(Request("b", 500, 1, place)).is_granted
    assert not ledger.poll(Request("c", 500, 1)).is_granted
    assert ledger.status().used_tokens == 600
    assert len(said) == (what != "lock")
    clock.now += 60.0
    assert ledger.poll(Request("b", 500, 1, place)).is_granted


def test_where_others_used_what_was_deleted_all_counts_as_used(
    ledger: FileLedger, path: Path, clock: Clock, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = FileLedger(path, LIMITS, tell=said.append, clock=clock)
    with monkeypatch.context() as patched:
        patched.setattr(owners, "this_process", lambda: f"{os.getppid()}.0.")
        other.poll(Request("a", 300, 1))
    ledger.poll(Request("b", 300, 1))
    path.unlink()
    assert not ledger.poll(Request("c", 10, 1)).is_granted
    ledger.withdraw("c")
    # The other process finds what it had been granted, and says nothing more.
    other.settle("a", 300)
    assert len(said) == 1
    assert "was lost: deleted" in said[0]
    clock.now += 61.0
    assert ledger.poll(Request("d", 1000, 1)).is_granted


def test_a_reset_is_no_loss(ledger: FileLedger, path: Path, clock: Clock, said: list[str]) -> None:
    ledger.poll(Request("a", 1000, 1))
    FileLedger(path, LIMITS, tell=said.append, clock=clock).reset()
    assert ledger.poll(Request("b", 1000, 1)).is_granted
    assert said == []


@pytest.mark.skipif(sys.platform == "win32", reason="links of POSIX")
def test_a_link_in_the_place_of_the_file_is_not_followed(
    ledger: FileLedger, path: Path, tmp_path: Path, said: list[str]
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path.parent.mkdir(mode=0o700)
    path.symlink_to(victim)
    with pytest.raises(LedgerUnavailableError):
        ledger.poll(Request("a", 1, 1))
    assert victim.read_text() == "precious"
    assert said == []


def test_a_folder_that_cannot_be_written_is_out_of_reach(tmp_path: Path, clock: Clock, said: list[str]) -> None:
    tmp_path.joinpath("file").write_text("no folder")
    path = tmp_path / "file" / "budget.json"
    file = FileLedger(path, LIMITS, tell=said.append, clock=clock)
    with pytest.raises(LedgerUnavailableError, match="cannot be written"):
        file.poll(Request("a", 1, 1))
    memory = MemoryLedger(LIMITS, clock=clock)
    ledger = FallbackLedger(file, memory, tell=said.append, meanwhile="This process is alone.", clock=clock)
    assert ledger.poll(Request("a", 1, 1)).is_granted
    assert len(said) == 1
    assert said[0].endswith("This process is alone.")


def test_a_text_too_long_for_the_file_is_an_error_of_the_disk(path: Path) -> None:
    path.parent.mkdir()
    crash_safe_file.create(path)
    with path.open("r+b", buffering=0) as file, pytest.raises(OSError, match="too many requests"):
        crash_safe_file.write(file, crash_safe_file.Version(1, bytes(crash_safe_file.SLOT_BYTES)))


def test_the_clock_counts_the_seconds_since_boot() -> None:
    first = owners.seconds_since_boot()
    assert 0 < first <= owners.seconds_since_boot()
    if os.path.exists("/proc/sys/kernel/random/boot_id"):  # noqa: PTH110  (a constant of the system)
        assert len(owners.boot_id()) == 36


def test_a_request_that_left_late_counts_from_when_it_was_sent(ledger: FileLedger, clock: Clock) -> None:
    ledger.poll(Request("a", 1000, 1))
    clock.now += 20.0
    ledger.settle("a", 1000, seconds=15.0)
    # Sent five seconds after its grant, it has arrived within the guard after that.
    assert ledger.poll(Request("b", 1, 1)).start_in == pytest.approx(5.0 + LIMITS.guard + 60.0 - 20.0)


def test_a_request_has_arrived_before_it_was_answered(ledger: FileLedger, clock: Clock) -> None:
    ledger.poll(Request("a", 1000, 1))
    clock.now += 0.1
    ledger.settle("a", 1000, seconds=0.1)
    assert ledger.poll(Request("b", 1, 1)).start_in == pytest.approx(60.0)

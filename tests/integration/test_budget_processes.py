"""The ledger in a file under real processes, threads and forks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.budget import crashes, load
from pytest_refinery.budget import locations, owners
from pytest_refinery.budget.file_ledger import FileLedger
from pytest_refinery.budget.ledger import Request
from pytest_refinery.budget.token_budget import SharedBudget
from pytest_refinery.budget.window import Limits

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks and signals")

MINUTE = 0.5
# On a busy machine a process may take long from its grant to the note it makes; the settling comes after that.
LIMITS = Limits(tokens=100, minute=MINUTE, guard=10.0)


def budget_in(path: Path, limits: Limits = LIMITS) -> SharedBudget:
    return SharedBudget(FileLedger(path, limits, tell=pytest.fail), tell=pytest.fail)


def spend(path: Path, count: int, spent: Any) -> None:  # noqa: ANN401  (multiprocessing names no type)
    budget = budget_in(path)
    for _ in range(count):
        lease = budget.reserve(10)
        spent.put(time.monotonic())
        lease.settle(10)


def most_in_a_minute(times: list[float]) -> int:
    within: deque[float] = deque()
    most = 0
    for at in sorted(times):
        within.append(at)
        while within[0] <= at - MINUTE:
            within.popleft()
        most = max(most, len(within))
    return most


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_keep_to_the_limit_together(tmp_path: Path, method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    spent = context.Queue()
    workers = [context.Process(target=spend, args=(tmp_path / "budget.json", 8, spent)) for _ in range(4)]
    for worker in workers:
        worker.start()
    times = [spent.get(timeout=60) for _ in range(32)]
    for worker in workers:
        worker.join()
    assert most_in_a_minute(times) <= 10


def test_threads_keep_to_the_limit_together(tmp_path: Path) -> None:
    budget = budget_in(tmp_path / "budget.json")
    times: list[float] = []

    def work() -> None:
        for _ in range(6):
            lease = budget.reserve(10)
            times.append(time.monotonic())
            lease.settle(10)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times) == 30
    assert most_in_a_minute(times) <= 10


def test_a_fork_is_somebody_else() -> None:
    reading, writing = os.pipe()
    process_id = os.fork()
    if process_id == 0:
        os.write(writing, owners.this_process().encode())
        os._exit(0)
    assert os.read(reading, 100).decode() != owners.this_process()
    os.waitpid(process_id, 0)


def test_a_lock_that_a_fork_has_copied_is_free_when_its_holder_dies(tmp_path: Path) -> None:
    script = f"""
import os, signal, sys, time
from pathlib import Path
from pytest_refinery.budget import file_lock

with file_lock.held(Path({str(tmp_path / "lock")!r})):
    if os.fork() == 0:
        print("forked", flush=True)
        sys.stdin.read()
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"forked\n"
        ledger = FileLedger(tmp_path / "lock", Limits(tokens=10), tell=pytest.fail)
        # The ledger's lock is another file; what is tried here is the lock that the dead process held.
        from pytest_refinery.budget import file_lock

        with file_lock.held(tmp_path / "lock"):
            assert ledger is not None


def test_the_queue_place_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    path = tmp_path / "budget.json"
    limits = Limits(tokens=100)
    ledger = FileLedger(path, limits, tell=pytest.fail)
    ledger.poll(Request("first", 50, 1))
    script = f"""
import time
from pathlib import Path
from pytest_refinery.budget.file_ledger import FileLedger
from pytest_refinery.budget.ledger import Request
from pytest_refinery.budget.window import Limits

FileLedger(Path({str(path)!r}), Limits(tokens=100), tell=print).poll(Request("victim", 100, 1))
print("waiting", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"waiting\n"
        place = ledger.poll(Request("second", 50, 1)).place
        assert not ledger.poll(Request("second", 50, 1, place)).is_granted
        ledger.withdraw("second")
        victim.send_signal(signal.SIGKILL)
        # Not reaped yet: a zombie is dead too.
        budget = budget_in(path, limits)
        assert budget.reserve(50, timeout=5.0).seconds_waited < 1.0


def test_processes_killed_at_any_instant_lose_nothing_but_their_own(tmp_path: Path) -> None:
    survived = crashes.run(tmp_path, kills=60, workers=6)
    assert survived.wrong == ()
    assert survived.complaints == ()
    assert survived.compared > 0
    assert survived.longest_wait < 1.0


def test_two_terminals_share_a_limit_and_two_keys_do_not(tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}

    def path_of(key: str) -> Path:
        name = locations.account(base_url="https://api.openai.com/v1/", model="m", key=key)
        return locations.state_file(name, environment)

    assert FileLedger(path_of("one"), LIMITS, tell=pytest.fail).poll(Request("a", 100, 1)).is_granted
    assert not FileLedger(path_of("one"), LIMITS, tell=pytest.fail).poll(Request("b", 100, 1)).is_granted
    assert FileLedger(path_of("other"), LIMITS, tell=pytest.fail).poll(Request("c", 100, 1)).is_granted
    assert "one" not in path_of("one").name


@pytest.mark.parametrize("model", ["sliding", "bucket"])
def test_a_service_that_enforces_its_limit_refuses_nobody(model: str) -> None:
    outcome = load.run(
        "pytest-refinery, file", model=model, processes=4, minute=1.5, windows=2.5, redis_url="none is used"
    )
    assert outcome.refusals == 0
    assert outcome.use > 0.8

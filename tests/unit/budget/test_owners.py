from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pytest_refinery.budget import owners

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="processes are looked up in /proc")  # noqa: PTH110


def test_this_process_lives() -> None:
    assert owners.is_alive(owners.this_process())


def test_a_process_that_has_ended_is_dead_even_before_it_is_reaped() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        _, started, namespace = f"{child.pid}.{owners._started(child.pid)}.{owners._namespace()}".split(".")  # noqa: SLF001
        owner = f"{child.pid}.{started}.{namespace}"
        assert owners.is_alive(owner)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not owners.is_alive(owner)
    assert not owners.is_alive(owner)


def test_another_process_with_the_same_id_is_not_the_owner() -> None:
    parent = os.getppid()
    _, _, namespace = owners.this_process().split(".")
    assert not owners.is_alive(f"{parent}.1.{namespace}") or parent == 0


def test_of_a_process_of_another_container_nothing_is_known() -> None:
    assert owners.is_alive("999999.1.another") is None


@pytest.mark.parametrize("owner", ["elsewhere", "", "1", "x.y.z"])
def test_of_what_is_no_process_of_ours_nothing_is_known(owner: str) -> None:
    assert owners.is_alive(owner) is None


def test_people_are_told_the_process_id() -> None:
    assert owners.process_id_of(owners.this_process()) == f"process {os.getpid()}"
    assert owners.process_id_of("elsewhere") == "elsewhere"


def test_without_proc_the_system_is_asked_by_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "_namespace", lambda: "")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert owners.is_alive(f"{child.pid}.0.")
    assert not owners.is_alive(f"{child.pid}.0.")

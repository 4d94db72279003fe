"""Real processes: without network, interrupted, two at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.integration.cassettes.conftest import cassettes_in, items_of, report_without_times
from tests.integration.openai.conftest import KEY
from tests.openai_server import faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.openai_server import OpenAIServer

Run: TypeAlias = "Callable[..., pytest.RunResult]"
CHECKED = "memory.refinery.yaml::checked"


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "--refinery", "-p", "no:cacheprovider", *args]


def environment(server: OpenAIServer) -> dict[str, str]:
    return {**os.environ, "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url, "REFINERY_TPM": "1000000"}


def without_interfaces() -> list[str]:
    """Return what starts a command in a network namespace of its own, which has no interface that is up."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not installed (util-linux)")
    words = [unshare, "--net", "--map-root-user"]
    tried = subprocess.run([*words, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"network namespaces are not permitted here: {tried.stderr.strip()}")
    return words


@pytest.fixture
def long_trace(suite: Path) -> None:
    """Make the suite's trace one of 35 runs, in groups that are put into a vector store."""
    said = [f"Step {number}: I have looked at account {number * 37}." for number in range(35)]
    said[20] = "Done. I will exclude all cash sweep redemptions from now on."
    talk = [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(said)]
    (suite / "sweep.json").write_text(json.dumps(talk), encoding="utf-8")


def test_a_diagnosis_of_35_runs_replays_with_the_network_removed_and_the_same_report(
    suite: Path, long_trace: None, record: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = without_interfaces()
    monkeypatch.setenv("REFINERY_GROUP_SIZE_RUNS", "6")
    record("--refinery-report=recorded").assert_outcomes(failed=2)
    for name, workers in (("plain", ("-p", "no:xdist")), ("two", ("-n2",))):
        # pytest-rerunfailures talks to its workers over the loopback interface, which is not there either.
        arguments = command("-p", "no:rerunfailures", "--refinery-record=none", f"--refinery-report={name}", *workers)
        done = subprocess.run([*removed, *arguments], cwd=suite, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stdout + done.stderr
        assert report_without_times(suite / name) == report_without_times(suite / "recorded")
    diagnosis = items_of(suite / "plain")["checked"]["diagnosis"]
    assert diagnosis["coverage"]["percentage"] == 100
    assert diagnosis["responsible_run_id"] == "20"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_while_recording_leaves_the_old_cassette_whole(suite: Path, record: Run, server: OpenAIServer) -> None:
    record(CHECKED)
    before = cassettes_in(suite)
    server.faults.add(faults.stalled(), times=None)
    running = subprocess.Popen(
        command("--refinery-record=all", CHECKED),
        cwd=suite,
        env=environment(server),
        stdout=subprocess.PIPE,
        text=True,
    )
    asked = len(server.log)
    while running.poll() is None and len(server.log) < asked + 5:
        threading.Event().wait(0.05)
    running.send_signal(signal.SIGINT)
    printed, _ = running.communicate(timeout=60)
    assert running.returncode == pytest.ExitCode.INTERRUPTED, printed
    assert cassettes_in(suite) == before
    assert "was not written: the run was interrupted. What was there stays." in " ".join(printed.split())


def test_two_processes_that_record_the_same_item_leave_one_whole_cassette(
    suite: Path, replay: Run, server: OpenAIServer
) -> None:
    running = [
        subprocess.Popen(
            command("--refinery-record=all", CHECKED),
            cwd=suite,
            env=environment(server),
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    printed = [each.communicate(timeout=120)[0] for each in running]
    assert [each.returncode for each in running] == [1, 1], printed
    assert list(cassettes_in(suite)) == ["memory.refinery.yaml/checked.yaml"]
    result = replay(CHECKED, "--refinery-strict-cassettes", "--refinery-report=out")
    result.assert_outcomes(failed=1)
    assert items_of(suite / "out")["checked"]["diagnosis"]["partial"] is None


def test_a_killed_recording_leaves_the_old_cassette_whole(suite: Path, record: Run, server: OpenAIServer) -> None:
    record(CHECKED)
    before = cassettes_in(suite)
    server.faults.add(faults.stalled(), times=None)
    running = subprocess.Popen(
        command("--refinery-record=all", CHECKED), cwd=suite, env=environment(server), stdout=subprocess.DEVNULL
    )
    asked = len(server.log)
    while running.poll() is None and len(server.log) < asked + 5:
        threading.Event().wait(0.05)
    running.kill()
    running.wait(timeout=60)
    assert cassettes_in(suite) == before

"""Recorded once, replayed offline: outcomes, diagnoses and reports are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from tests.integration.cassettes.conftest import cassettes_in, items_of, report_without_times
from tests.integration.openai.conftest import KEY
from tests.runners import WITH_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tests.openai_server import OpenAIServer

Run: TypeAlias = "Callable[..., pytest.RunResult]"


@WITH_WORKERS
def test_what_was_recorded_replays_without_key_and_service_and_gives_the_same_report(
    suite: Path, record: Run, replay: Run, server: OpenAIServer, plugin_args: tuple[str, ...]
) -> None:
    record("--refinery-report=recorded").assert_outcomes(failed=2)
    asked = len(server.log)
    result = replay("--refinery-report=replayed", *plugin_args)
    result.assert_outcomes(failed=2)
    assert report_without_times(suite / "replayed") == report_without_times(suite / "recorded")
    assert len(server.log) == asked
    result.stdout.fnmatch_lines(["cassettes: 2 replayed at no cost"])
    assert items_of(suite / "replayed")["checked"]["diagnosis"]["analyst"] == "openai"


def test_recording_again_gives_the_same_bytes(suite: Path, record: Run) -> None:
    record()
    first = cassettes_in(suite)
    record()
    assert cassettes_in(suite) == first
    assert set(first) == {"memory.refinery.yaml/checked.yaml", "memory.refinery.yaml/judged.yaml"}


def test_each_item_has_a_cassette_that_says_what_it_was_recorded_against_and_has_no_key(
    suite: Path, record: Run, server: OpenAIServer
) -> None:
    record("-n2").assert_outcomes(failed=2)
    found = cassettes_in(suite)
    assert len(found) == 2
    for text in map(bytes.decode, found.values()):
        assert f'recorded_against: "127.0.0.1:{server.port}"' in text
        assert KEY not in text


def test_by_default_an_item_with_a_cassette_replays_and_one_without_is_as_before(
    suite: Path, record: Run, replay: Run
) -> None:
    record("memory.refinery.yaml::judged")
    replay("--refinery-record=auto", "--refinery-report=out").assert_outcomes(failed=2)
    items = items_of(suite / "out")
    assert items["judged"]["diagnosis"]["analyst"] == "openai"
    assert items["checked"]["diagnosis"]["analyst"] == "builtin"
    assert list(cassettes_in(suite)) == ["memory.refinery.yaml/judged.yaml"]


def test_by_default_nothing_is_recorded(suite: Path, record: Run) -> None:
    record("--refinery-record=auto").assert_outcomes(failed=2)
    assert not (suite / "cassettes").exists()


def test_once_records_what_has_no_cassette_and_replays_what_has_one(
    record: Run, server: OpenAIServer, suite: Path
) -> None:
    record("--refinery-record=once").assert_outcomes(failed=2)
    asked = len(server.log)
    result = record("--refinery-record=once")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["cassettes: 2 replayed at no cost"])
    assert len(server.log) == asked


def test_new_episodes_sends_and_adds_only_what_is_not_there(
    record: Run, replay: Run, server: OpenAIServer, suite: Path
) -> None:
    record()
    asked = len(server.log)
    file = suite / "memory.refinery.yaml"
    file.write_text(file.read_text().replace("promises nothing", "promises little"))
    record("--refinery-record=new_episodes").assert_outcomes(failed=2)
    assert 0 < len(server.log) - asked < asked
    replay().assert_outcomes(failed=2)


def test_an_item_replays_under_another_limit_and_address_as_it_was_recorded(
    record: Run, replay: Run, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record()
    monkeypatch.setenv("OPENAI_BASE_URL", "https://another.example/v1")
    monkeypatch.setenv("REFINERY_TPM", "9000")
    replay("--refinery-report=out").assert_outcomes(failed=2)
    assert all(item["diagnosis"]["partial"] is None for item in items_of(suite / "out").values())


def test_a_replay_waits_for_nothing(record: Run, replay: Run, suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for the budget nor between groups; pytest-timeout would cut it short."""
    record()
    monkeypatch.setenv("REFINERY_INTER_GROUP_SLEEP_S", "600")
    monkeypatch.setenv("REFINERY_TPM", "1")
    result = replay("--timeout=60", "--refinery-report=out")
    result.assert_outcomes(failed=2)
    assert all(item["diagnosis"]["partial"] is None for item in items_of(suite / "out").values())


def test_replays_are_not_remembered_and_write_nothing_beside_the_report(record: Run, replay: Run, suite: Path) -> None:
    record("-p", "cacheprovider")
    before = set(suite.rglob("*"))
    replay("-p", "cacheprovider")
    assert not set((suite / ".pytest_cache").glob("d/refinery-diagnoses/*"))
    assert {path for path in set(suite.rglob("*")) - before if ".pytest_cache" not in path.parts} == set()


def test_a_plan_records_nothing_and_plans_nothing_that_replays(
    record: Run, replay: Run, suite: Path, server: OpenAIServer
) -> None:
    record("memory.refinery.yaml::judged")
    asked = len(server.log)
    record("--refinery-record=all", "--refinery-plan", "--refinery-report=out").assert_outcomes(failed=2)
    assert len(server.log) == asked
    items = items_of(suite / "out")
    assert items["judged"]["plan"] is None
    assert items["checked"]["plan"]["calls"] > 0
    assert list(cassettes_in(suite)) == ["memory.refinery.yaml/judged.yaml"]


def test_an_item_that_nothing_decides_names_the_cassette_and_the_command_that_records_it(replay: Run) -> None:
    result = replay("memory.refinery.yaml::judged", "--refinery-record=auto")
    result.assert_outcomes(errors=1)
    shown = " ".join(result.stdout.str().split())
    assert "there is no cassette cassettes/memory.refinery.yaml/judged.yaml with a judge to replay" in shown
    assert "pytest --refinery --refinery-record=all memory.refinery.yaml::judged" in shown

"""What a cassette does not hold, what it holds in vain, and what it cannot be used for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.integration.cassettes.conftest import cassettes_in, items_of, report_without_times
from tests.openai_server import faults
from tests.runners import WITH_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.openai_server import OpenAIServer

Run: TypeAlias = "Callable[..., pytest.RunResult]"
JUDGED = "memory.refinery.yaml::judged"
CHECKED = "memory.refinery.yaml::checked"


def edit(suite: Path, old: str, new: str) -> None:
    file = suite / "memory.refinery.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def folded(result: pytest.RunResult) -> str:
    return " ".join(result.stdout.str().split())


def test_a_verdict_that_the_cassette_does_not_hold_is_an_error_that_says_what_differs(
    suite: Path, record: Run, replay: Run, plugin_args: tuple[str, ...]
) -> None:
    record(JUDGED)
    edit(suite, "promises nothing", "promises little")
    result = replay(JUDGED, *plugin_args)
    result.assert_outcomes(errors=1)
    shown = folded(result)
    assert f"{JUDGED}: POST http://127.0.0.1" in shown
    assert "The agent promises nothing." in shown
    assert "The agent promises little." in shown
    assert f"pytest --refinery --refinery-record=all {JUDGED}" in shown


@WITH_WORKERS
def test_a_diagnosis_that_the_cassette_does_not_hold_leaves_the_item_failed_and_says_why(
    suite: Path, record: Run, replay: Run, plugin_args: tuple[str, ...]
) -> None:
    record(CHECKED)
    edit(suite, "it cannot keep preferences", "it keeps no preferences")
    result = replay(CHECKED, "--refinery-report=out", *plugin_args)
    result.assert_outcomes(failed=1)
    found = items_of(suite / "out")["checked"]
    assert found["diagnosis"] is None
    assert found["error"].startswith(f"No diagnosis: {CHECKED}: POST ")
    assert "--refinery-record=all" in found["error"]


def test_without_a_cassette_the_strict_mode_asks_nobody(suite: Path, record: Run) -> None:
    result = record("--refinery-record=none", "--refinery-report=out")
    result.assert_outcomes(failed=1, errors=1)
    assert items_of(suite / "out")["checked"]["diagnosis"]["analyst"] == "builtin"
    assert "there is no cassette cassettes/memory.refinery.yaml/judged.yaml" in folded(result)


def test_what_is_not_asked_for_any_more_is_told_and_changes_nothing(suite: Path, record: Run, replay: Run) -> None:
    record(CHECKED)
    edit(suite, "runs: {at_most: 0}", "runs: {at_most: 9}")
    result = replay(CHECKED)
    result.assert_outcomes(passed=1)
    assert f"warning: {CHECKED} did not ask for everything that is in cassettes/memory.refinery.yaml" in folded(result)


def test_strictly_it_is_an_error(suite: Path, record: Run, replay: Run, plugin_args: tuple[str, ...]) -> None:
    record(CHECKED)
    edit(suite, "runs: {at_most: 0}", "runs: {at_most: 9}")
    result = replay(CHECKED, "--refinery-strict-cassettes", *plugin_args)
    result.assert_outcomes(passed=1, errors=1)
    assert "leave --refinery-strict-cassettes away" in folded(result)
    assert "Traceback" not in result.stdout.str()


def test_what_an_item_did_not_come_to_is_not_unused(record: Run, replay: Run) -> None:
    record(CHECKED)
    result = replay(CHECKED, "--refinery-strict-cassettes", "--refinery-no-diagnose")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*did not ask*")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda text: text[: len(text) // 2], "is cut off"),
        (lambda text: text.replace("interactions:", "interactions: [", 1), "no YAML"),
        (lambda text: text.replace("interactions:", "more: !!python/object:os.system {}\ninteractions:", 1), "line"),
        (lambda text: text.replace("cassette: 1", "cassette: 99", 1), "has version 99"),
    ],
    ids=["cut off", "bad YAML", "a Python tag", "a newer version"],
)
def test_a_cassette_that_cannot_be_used_is_an_error_and_stays_as_it_is(
    spoil: Callable[[str], str], why: str, suite: Path, record: Run, replay: Run
) -> None:
    record(CHECKED)
    (path,) = (suite / "cassettes" / "memory.refinery.yaml").iterdir()
    path.write_text(spoil(path.read_text(encoding="utf-8")), encoding="utf-8")
    before = cassettes_in(suite)
    for mode in ("none", "auto", "once", "new_episodes"):
        result = replay(CHECKED, f"--refinery-record={mode}")
        result.assert_outcomes(errors=1)
        assert "checked.yaml" in folded(result)
        assert "Traceback" not in result.stdout.str()
    assert cassettes_in(suite) == before


def test_a_folder_that_cannot_be_written_costs_the_recording_and_nothing_else(suite: Path, record: Run) -> None:
    (suite / "cassettes").write_text("a file where the folder should be", encoding="utf-8")
    result = record("--refinery-report=out")
    result.assert_outcomes(failed=2)
    assert items_of(suite / "out")["judged"]["diagnosis"]["partial"] is None
    shown = folded(result)
    assert shown.count("could not be written") == 2
    assert "cassettes: 2 not written" in shown


def test_a_secret_of_the_environment_in_an_expectation_is_neither_sent_nor_recorded_nor_shown(
    suite: Path, record: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "correct horse battery staple 4711"
    monkeypatch.setenv("VAULT_PASSWORD", said)
    edit(suite, "The agent promises nothing.", f"The agent does not say {said}.")
    result = record(JUDGED, "--tb=no")
    result.assert_outcomes(failed=1)
    assert cassettes_in(suite)
    assert not [name for name, content in cassettes_in(suite).items() if said.encode() in content]
    assert said not in folded(result)


def test_a_diagnosis_that_was_cut_short_is_not_recorded(suite: Path, record: Run, server: OpenAIServer) -> None:
    server.faults.add(faults.stalled(), times=None)
    result = record(CHECKED, "--refinery-timeout=2")
    result.assert_outcomes(failed=1)
    assert not cassettes_in(suite)
    assert "was not written: the diagnosis was not finished in time (--refinery-timeout)" in folded(result)


def test_the_folder_and_the_file_can_be_chosen(suite: Path, record: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nrefinery_cassettes = recordings")
    pytester.makeconftest(
        """
        def pytest_refinery_cassette(item, default):
            return default.with_name("chosen.yaml") if item.name == "judged" else None
        """
    )
    record()
    found = {path.relative_to(suite).as_posix() for path in (suite / "recordings").rglob("*") if path.is_file()}
    assert found == {
        "recordings/memory.refinery.yaml/checked.yaml",
        "recordings/memory.refinery.yaml/chosen.yaml",
    }


def test_a_hook_takes_out_what_no_cassette_may_hold(suite: Path, record: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        def pytest_refinery_scrub(text):
            return text.replace("cash sweep redemption", "a topic")
        """
    )
    pytester.makeini("[pytest]\nrefinery_scrub = 1,200 dollars")
    record(CHECKED)
    (text,) = map(bytes.decode, cassettes_in(suite).values())
    assert "a topic" in text
    assert "cash sweep redemption" not in text
    assert "1,200 dollars" not in text


def test_what_was_scrubbed_replays(suite: Path, record: Run, replay: Run, pytester: pytest.Pytester) -> None:
    """A trace that is a file still has all of it, and the model's answers do not."""
    pytester.makeini("[pytest]\nrefinery_scrub = 1,200 dollars|cash sweep redemption")
    edit(suite, "runs: {at_most: 0}", "output: {contains: cash sweep redemption, not_contains: welcome}")
    record("--refinery-report=recorded")
    replay("--refinery-report=replayed", "--refinery-strict-cassettes").assert_outcomes(failed=2)
    assert report_without_times(suite / "replayed") == report_without_times(suite / "recorded")


def test_reruns_replay_from_the_start(record: Run, replay: Run, suite: Path) -> None:
    record(CHECKED)
    result = replay(CHECKED, "--reruns=2", "--refinery-report=out", "--refinery-strict-cassettes")
    assert result.parseoutcomes() == {"failed": 1, "rerun": 2}
    found = items_of(suite / "out")["checked"]
    assert found["error"] is None
    assert found["diagnosis"]["partial"] is None

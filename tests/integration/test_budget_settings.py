"""From settings to the budget, and the command that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_refinery import cli, wiring
from pytest_refinery.budget.ledger import Request
from pytest_refinery.errors import ConfigurationError
from pytest_refinery.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_refinery.budget.ledger import Ledger


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    return tmp_path


def ledger_of(**settings: object) -> Ledger:
    return wiring.build(Settings(**settings), wiring.Hooks(show=pytest.fail)).ledger  # type: ignore[arg-type]


def test_the_limits_are_those_of_the_settings() -> None:
    status = ledger_of(tpm=1234, rpm=5).status()
    assert (status.limit_tokens, status.limit_requests, status.is_assumed) == (1234, 5, False)


@pytest.mark.parametrize(
    ("base_url", "tpm_model", "model"),
    [
        ("", "auto", "bucket"),
        ("https://api.openai.com/v1/", "auto", "bucket"),
        ("http://localhost:4000", "auto", "sliding minute"),
        ("https://api.openai.com.example.org/v1", "auto", "sliding minute"),
        ("http://localhost:4000", "bucket", "bucket"),
        ("", "sliding", "sliding minute"),
    ],
)
def test_openai_is_a_bucket_and_everything_else_a_sliding_minute(
    monkeypatch: pytest.MonkeyPatch, base_url: str, tpm_model: str, model: str
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", base_url)
    assert ledger_of(tpm_model=tpm_model).status().algorithm == model


def test_each_model_has_a_ledger_of_its_own() -> None:
    assert ledger_of(tpm=10, model="a").poll(Request("a", 10, 1)).is_granted
    assert not ledger_of(tpm=10, model="a").poll(Request("b", 10, 1)).is_granted
    assert ledger_of(tpm=10, model="b").poll(Request("c", 10, 1)).is_granted


def test_no_file_names_the_key(cache: Path) -> None:
    ledger_of(tpm=10).poll(Request("a", 10, 1))
    files = [path for path in cache.rglob("*") if path.is_file()]
    assert files
    assert not any("secret" in path.name or b"secret" in path.read_bytes() for path in files)


def test_a_cache_directory_that_cannot_be_written_leaves_each_process_its_own(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.joinpath("file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "file"))
    monkeypatch.setenv("LOCALAPPDATA", str(cache / "file"))
    said: list[str] = []
    ledger = wiring.build(Settings(tpm=10), wiring.Hooks(show=said.append)).ledger
    assert ledger.poll(Request("a", 10, 1)).is_granted
    assert not ledger.poll(Request("b", 10, 1)).is_granted
    assert len(said) == 1
    assert "cannot be written" in said[0]
    assert "which other workers do not see" in said[0]


def test_redis_without_its_client_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'pytest-refinery\[redis\]'"):
        ledger_of(budget_url="redis://localhost")


def test_the_address_of_redis_is_not_shown() -> None:
    assert "password" not in repr(Settings(budget_url="redis://:password@host"))


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("REFINERY_TPM", "many", "'many' is not a whole number above 0"),
        ("REFINERY_TPM_MODEL", "round", "'round' is none of auto, sliding, bucket"),
        ("REFINERY_BUDGET_URL", "http://x", "is neither file nor an address that begins with redis://"),
        ("REFINERY_RESERVES_OUTPUT", "maybe", "'maybe' is neither true nor false"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert cli.main(["budget"]) == 1
    error = capsys.readouterr().err
    assert variable in error
    assert complaint in error


def test_the_command_shows_the_ledger_and_clears_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REFINERY_TPM", "30000")
    monkeypatch.setenv("REFINERY_TPM_MODEL", "sliding")
    ledger_of(tpm=30_000, model="some").poll(Request("a", 29_000, 1))
    assert cli.main(["budget", "--model", "some"]) == 0
    shown = capsys.readouterr().out
    assert "budget    of some" in shown
    assert "29,000 tokens, 1 request, 1 worker" in shown
    assert "29,000 tokens  granted" in shown
    assert cli.main(["budget", "--model", "some", "--reset"]) == 0
    assert "used      0 tokens" in capsys.readouterr().out


def test_the_defaults_leave_the_file_and_the_learned_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFINERY_BUDGET_URL", "file")
    monkeypatch.setenv("REFINERY_RESERVES_OUTPUT", "auto")
    assert cli.main(["budget"]) == 0

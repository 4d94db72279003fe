"""A suite that is recorded against the service on this machine, and replayed without it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

# Loaded late: an inner run would forget them at its end, and with them what its exceptions are.
import httpcore  # noqa: F401
import httpcore2  # noqa: F401
import httpx  # noqa: F401
import pytest

from tests.integration.openai.conftest import KEY, TALK
from tests.openai_server import OpenAIServer, RunReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EXPECTATIONS = """\
trace: sweep.json
expectations:
  - id: checked
    expect: The agent says that it cannot keep preferences between conversations.
    checks:
      - runs: {at_most: 0}
  - id: judged
    expect: The agent promises nothing.
"""

# A report says which causes an earlier run had.
_FORGETFUL = ("-p", "no:cacheprovider")


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """A service whose model finds the promise wherever it is really shown it, and to which all ids are the same."""
    with OpenAIServer(brain=RunReader(markers=("from now on",)), count_tokens=_counted) as server:
        yield server


def _counted(text: str) -> int:
    return len(re.sub("[0-9a-f]{32}", "an id", text)) // 4


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite with one expectation that checks decide and one for the judge; no key, no service."""
    folder = pytester.path
    (folder / "sweep.json").write_text(json.dumps(TALK), encoding="utf-8")
    (folder / "memory.refinery.yaml").write_text(EXPECTATIONS, encoding="utf-8")
    monkeypatch.setenv("REFINERY_GROUP_SIZE_RUNS", "3")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    return folder


@pytest.fixture
def record(
    pytester: pytest.Pytester, suite: Path, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Run the suite with a key and the service."""

    def record(*args: str) -> pytest.RunResult:
        with monkeypatch.context() as patch:
            patch.setenv("OPENAI_API_KEY", KEY)
            patch.setenv("OPENAI_BASE_URL", server.base_url)
            patch.setenv("REFINERY_TPM", "1000000")
            wanted = () if any("--refinery-record" in arg for arg in args) else ("--refinery-record=all",)
            return pytester.runpytest("--refinery", *_FORGETFUL, *wanted, *args)

    return record


@pytest.fixture
def replay(pytester: pytest.Pytester, suite: Path) -> Callable[..., pytest.RunResult]:
    """Run the suite without a key, strictly offline."""

    def replay(*args: str) -> pytest.RunResult:
        wanted = () if any("--refinery-record" in arg for arg in args) else ("--refinery-record=none",)
        return pytester.runpytest("--refinery", *_FORGETFUL, *wanted, *args)

    return replay


def report_without_times(folder: Path) -> str:
    """Return the text of a report without durations, and without what the session spent or replayed."""
    text = (folder / "report.json").read_text(encoding="utf-8")
    return re.sub(
        r'"(seconds|seconds_waited|tokens|dollars|replayed|is_replayed)": (null|true|false|[\d.]+)', r'"\1": 0', text
    )


def items_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what a report says of each item, by its id."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return {each["expectation"]["id"]: each for each in report["expectations"]}


def cassettes_in(suite: Path) -> dict[str, bytes]:
    """Return the cassettes of a suite, by their paths below its folder of cassettes."""
    folder = suite / "cassettes"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

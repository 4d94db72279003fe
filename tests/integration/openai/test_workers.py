"""Four workers, one account: its limit is on, nobody is refused, and the report is the one of a single process."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.openai_server import OpenAIServer

_ITEMS = 8
# Waiting for an eighth of a bucket takes 7.5 s of a real minute.
_MORE_THAN_THE_LIMIT = 1.125


def _run(pytester: pytest.Pytester, folder: str, *args: str) -> pytest.RunResult:
    options = ("--refinery", "--refinery-report", folder, "-p", "no:cacheprovider")
    result = pytester.runpytest_subprocess(*options, *args)
    result.assert_outcomes(failed=_ITEMS)
    return result


def _report(pytester: pytest.Pytester, folder: str) -> dict[str, Any]:
    text = (pytester.path / folder / "report.json").read_text(encoding="utf-8")
    report: dict[str, Any] = json.loads(re.sub(r'"seconds(_waited)?": [\d.e-]+', r'"seconds\1": 0', text))
    return report


def test_four_workers_keep_under_the_limit_of_the_account(
    pytester: pytest.Pytester, suite: Path, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = "  - {id: n%d, expect: 'The agent says number %d.', checks: [{runs: {at_most: 0}}]}\n"
    items = "".join(one % (number, number) for number in range(_ITEMS))
    (suite / "memory.refinery.yaml").write_text(f"trace: sweep.json\nexpectations:\n{items}", encoding="utf-8")
    _run(pytester, "alone", "-n0")
    limit = int(server.tokens_used / _MORE_THAN_THE_LIMIT)
    monkeypatch.setenv("XDG_CACHE_HOME", str(suite / "another-cache"))
    monkeypatch.setenv("REFINERY_TPM", str(limit))
    monkeypatch.setenv("REFINERY_TPM_MODEL", "bucket")
    server.tpm, server.tpm_model = limit, "bucket"
    before = server.tokens_used
    result = _run(pytester, "together", "-n4", "-v")
    assert server.refusals == []
    assert server.tokens_used - before > limit
    assert _report(pytester, "together") == _report(pytester, "alone")
    # What the workers do is seen while they do it.
    shown = result.stdout.str()
    assert set(re.findall(r"^\[gw\d\] refinery: (n\d): gap analysis$", shown, re.MULTILINE)) == {
        f"n{number}" for number in range(_ITEMS)
    }

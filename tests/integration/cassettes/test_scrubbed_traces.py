"""What may not stand in a cassette is not seen while it is recorded either: its replay asks the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.cassettes.conftest import cassettes_in, items_of
from tests.unit.cassettes.loopback import Said, loopback

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SOURCE = """
from pathlib import Path
import httpx2
from pytest_refinery.sources.json_files import JsonFiles

class Service:
    def load(self, reference, *, base, project=None):
        Path(base, "fetched.json").write_text(httpx2.get(URL).text)
        return JsonFiles().load("fetched.json", base=base)

def pytest_refinery_trace_source(reference):
    return Service() if reference.startswith("service:") else None
"""
_TALK = [
    {"role": "user", "content": "I am jane@example.org. Exclude the cash sweep."},
    {"role": "assistant", "content": "Done, jane@example.org. I will exclude it from now on."},
]


@pytest.mark.parametrize("context", ["file_search", "inline"])
def test_a_fetched_trace_with_personal_data_replays(
    pytester: pytest.Pytester,
    suite: Path,
    record: Callable[..., pytest.RunResult],
    replay: Callable[..., pytest.RunResult],
    context: str,
) -> None:
    file = suite / "memory.refinery.yaml"
    file.write_text(file.read_text().replace("sweep.json", "service:sweep"))
    pytester.makeini("[pytest]\nrefinery_scrub_personal = true\n")
    with loopback(lambda _: Said(json.dumps(_TALK).encode())) as service:
        (suite / "conftest.py").write_text(f"URL = {service.url!r}\n{_SOURCE}")
        record("--refinery-context", context).assert_outcomes(failed=2)
    replay("--refinery-context", context, "--refinery-report=out").assert_outcomes(failed=2)

    assert all(each["diagnosis"]["partial"] is None for each in items_of(suite / "out").values())
    assert not any(b"jane@" in text for text in cassettes_in(suite).values())

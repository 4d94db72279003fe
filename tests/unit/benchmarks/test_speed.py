from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks.accuracy import speed
from pytest_refinery.sources.json_files import JsonFiles

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("is_one_line", [False, True])
def test_every_prompt_carries_what_was_said_before(tmp_path: Path, is_one_line: bool) -> None:  # noqa: FBT001
    records = speed.rendered_history(20_000, is_one_line=is_one_line)
    prompts = [record["inputs"]["prompt"] for record in records[1:]]
    assert all("where is parcel P-7001" in prompt for prompt in prompts)
    assert sum(map(len, prompts)) > 20_000
    tmp_path.joinpath("trace.json").write_text(json.dumps(records), encoding="utf-8")
    assert len(JsonFiles().load("trace.json", base=tmp_path).runs) == len(records)


def test_the_page_says_how_long_a_diagnosis_took(tmp_path: Path) -> None:
    tmp_path.joinpath("trace.json").write_text(json.dumps(speed.rendered_history(2_000)), encoding="utf-8")
    trace = JsonFiles().load("trace.json", base=tmp_path)
    seconds = speed.measured(trace, 1)
    assert f"| small | {len(trace.runs)} | {seconds:.2f} |" in speed.page([("small", trace, seconds)])

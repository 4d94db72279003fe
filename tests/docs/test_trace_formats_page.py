"""The page on trace formats: its example loads as it says, and it names every format."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import answer
from tests.unit.sources.formats import opening_hours
from tests.unit.sources.formats.test_detect import SAMPLES

PAGE = Path(__file__).resolve().parents[2].joinpath("docs/reference/trace-formats.md").read_text("utf-8")


def test_the_page_lists_every_format_by_the_name_that_reports_use() -> None:
    listed = [
        name
        for row in re.findall(r"^\| [^|]+ \| (`[^|]+`) \|", PAGE, re.MULTILINE)
        for name in re.findall(r"`([\w-]+)`", row)
    ]
    made = {name for name, _ in SAMPLES.values()} | {right.format for right, _ in opening_hours.SAMPLES.values()}
    assert sorted(listed) == sorted(made)


def test_the_example_loads_as_the_page_says(tmp_path: Path) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "weather.json").write_text(json.dumps(json.loads(example)), encoding="utf-8")
    trace = JsonFiles().load("weather.json", base=tmp_path)
    assert answer.of(trace).text == "No."
    (note,) = re.findall(r"Its note says: `(.+)`$", PAGE, re.MULTILINE)
    assert trace.notes == (note,)

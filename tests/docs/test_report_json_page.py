from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema

from docs import generate_report_json
from tests.integration.conftest import write_suite

if TYPE_CHECKING:
    import pytest


def test_the_page_and_the_schema_say_what_the_models_say() -> None:
    told = "write it again with: make docs"
    assert generate_report_json.PAGE.read_text("utf-8") == generate_report_json.page(), told
    assert json.loads(generate_report_json.SCHEMA.read_text("utf-8")) == generate_report_json.schema(), told


def test_a_report_of_a_real_run_fits_the_schema(pytester: pytest.Pytester) -> None:
    write_suite(pytester.path)
    pytester.runpytest("--refinery", "--refinery-report", "out")
    report = json.loads((pytester.path / "out" / "report.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(generate_report_json.schema()).validate(report)
    assert report["expectations"][0]["diagnosis"]

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import yaml

from pytest_refinery import cli

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "editor-setup.md"


def test_the_file_on_the_page_fits_the_schema_that_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert example.startswith("# yaml-language-server: $schema=")
    jsonschema.validate(yaml.safe_load(example), schema)

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import yaml

from pytest_refinery import cli
from pytest_refinery.options import OPTIONS

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "editor-setup.md"


def test_the_file_on_the_page_fits_the_schema_that_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert example.startswith("# yaml-language-server: $schema=")
    jsonschema.validate(yaml.safe_load(example), schema)


def test_the_key_that_editors_need_is_the_one_of_the_option() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (option,) = (option for option in OPTIONS if option.flag == "--refinery")
    assert tomllib.loads(example)["tool"]["pytest"]["ini_options"] == {option.ini: True}

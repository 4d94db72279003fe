from __future__ import annotations

import re
import tomllib
from importlib import import_module, metadata, resources
from pathlib import Path

import pytest

PROJECT = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text())["project"]
EXTRAS = {"html", "jsonschema", "langsmith", "otel", "prices", "redis", "xdist"}


def test_the_installed_version_is_the_one_of_this_checkout() -> None:
    assert metadata.version("pytest-refinery") == PROJECT["version"]


def test_p_no_refinery_is_what_turns_the_plugin_off() -> None:
    (entry,) = metadata.entry_points(group="pytest11", name="refinery")
    assert entry.value == "pytest_refinery.plugin"
    assert import_module(entry.value).pytest_configure


def test_the_command_is_installed() -> None:
    (command,) = metadata.entry_points(group="console_scripts", name="pytest-refinery")
    assert callable(command.load())


def test_type_checkers_are_told_that_the_package_is_typed() -> None:
    assert resources.files("pytest_refinery").joinpath("py.typed").is_file()


def test_each_extra_can_be_asked_for() -> None:
    assert set(metadata.metadata("pytest-refinery").get_all("Provides-Extra") or ()) == EXTRAS


@pytest.mark.parametrize("vendor", ["langsmith", "redis", "opentelemetry-sdk", "pytest-html", "pytest-xdist"])
def test_what_only_some_need_is_not_required_of_all(vendor: str) -> None:
    named = [line for line in metadata.requires("pytest-refinery") or () if re.match(rf"{vendor}\b", line)]
    assert named
    assert all("extra ==" in line for line in named)


def test_vcrpy_is_new_enough_to_see_the_traffic_of_openai() -> None:
    assert "vcrpy>=8.2.0" in PROJECT["dependencies"]

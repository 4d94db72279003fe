from __future__ import annotations

import re
import tomllib
from importlib import import_module, metadata, resources
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SETTINGS = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text())
PROJECT, GROUPS = SETTINGS["project"], SETTINGS["dependency-groups"]
EXTRAS = {"all", "html", "jsonschema", "langsmith", "openai", "otel", "prices", "redis", "xdist"}


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


def test_all_is_every_extra() -> None:
    assert required("pytest-refinery", "all") == required("pytest-refinery", *EXTRAS)


def test_the_core_brings_no_pytest_plugin_but_its_own() -> None:
    brought = sorted(name for name in closure("pytest-refinery") if has_pytest_plugin(name))
    assert brought == ["pytest-refinery"]


@pytest.mark.parametrize("vendor", ["anyio", "langsmith"])
def test_that_would_see_a_pytest_plugin(vendor: str) -> None:
    assert has_pytest_plugin(vendor)


def test_what_tests_need_names_the_packages_of_every_extra() -> None:
    wanted = {re.split(r"[^\w-]", line)[0] for line in GROUPS["tests"] if isinstance(line, str)}
    assert required("pytest-refinery", "all") - required("pytest-refinery") <= wanted


def test_vcrpy_is_new_enough_to_see_the_traffic_of_openai() -> None:
    assert "vcrpy>=8.2.0" in PROJECT["dependencies"]


def has_pytest_plugin(name: str) -> bool:
    """Tell whether pytest would load a plugin of an installed package in every run."""
    return any(entry.group == "pytest11" for entry in metadata.distribution(name).entry_points)


def closure(name: str) -> set[str]:
    """Return an installed package and all that it requires without extras, and what that requires."""
    found: set[str] = set()
    waiting = {name}
    while waiting:
        found.add(each := waiting.pop())
        waiting |= required(each) - found
    return found


def required(name: str, *extras: str) -> set[str]:
    """Return the names that an installed package requires here, with its extras."""
    found: set[str] = set()
    for requirement in map(Requirement, metadata.requires(name) or ()):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            own = requirement.name == name
            found |= required(name, *requirement.extras) if own else {canonicalize_name(requirement.name)}
    return found

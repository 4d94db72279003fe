"""Each option once: its flag, environment variable, ini key, parser and help.

From this table come the command line, the ini keys, ``read()``, the page of the docs and the
texts of the errors. Values stay texts until ``read()`` parses them: texts travel to xdist's
workers, and a wrong one gets the same message wherever it was written.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pytest_refinery.errors import ConfigurationError
from pytest_refinery.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True)
class Option:
    """One row of the table.

    Attributes:
        name: The field of ``Settings``.
        parse: Turns a text into the value; raises ``ValueError`` with what would be right.
        flag: The command-line flag, if there is one.
        says: What the flag means without an argument; ``None`` where it takes one.
        variable: The environment variable, if there is one.
    """

    name: str
    help: str
    parse: Callable[[str], object]
    flag: str | None = None
    says: str | None = None
    metavar: str | None = None
    variable: str | None = None
    default: str = ""

    @property
    def ini(self) -> str:
        """The ini key."""
        return "refinery" if self.name == "refinery" else f"refinery_{self.name}"

    @property
    def dest(self) -> str:
        """The name under which pytest keeps the flag's text."""
        return f"refinery_flag_{self.name}"


def _switch(text: str) -> bool:
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    msg = "is neither true nor false"
    raise ValueError(msg)


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    msg = "is not a whole number above 0"
    raise ValueError(msg)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if 0 < seconds < float("inf"):
        return seconds
    msg = "is not a number of seconds above 0"
    raise ValueError(msg)


def _text(text: str) -> str:
    if text.strip():
        return text
    msg = "is empty"
    raise ValueError(msg)


OPTIONS = (
    Option(
        name="refinery",
        help="Run *.refinery.yaml files as tests and diagnose what fails.",
        parse=_switch,
        flag="--refinery",
        says="true",
        variable="REFINERY",
        default="off",
    ),
    Option(
        name="analyst",
        help="Who answers the stages of a diagnosis: builtin (rules, no network, no key), or one that a plugin offers.",
        parse=_text,
        flag="--refinery-analyst",
        metavar="NAME",
        variable="REFINERY_ANALYST",
        default="auto",
    ),
    Option(
        name="report",
        help="Write report.json and report.md to this folder.",
        parse=_text,
        flag="--refinery-report",
        metavar="DIR",
        variable="REFINERY_REPORT",
        default="none",
    ),
    Option(
        name="diagnose",
        help="Diagnose what fails; with --refinery-no-diagnose expectations are only checked.",
        parse=_switch,
        flag="--refinery-no-diagnose",
        says="false",
        variable="REFINERY_DIAGNOSE",
        default="on",
    ),
    Option(
        name="max_diagnoses",
        help="Diagnose at most this many failures of a session, over all workers.",
        parse=_count,
        flag="--refinery-max-diagnoses",
        metavar="N",
        variable="REFINERY_MAX_DIAGNOSES",
        default="no limit",
    ),
    Option(
        name="timeout",
        help="Seconds that one diagnosis may take; what was found until then is shown.",
        parse=_seconds,
        flag="--refinery-timeout",
        metavar="SECONDS",
        variable="REFINERY_TIMEOUT",
        default="300",
    ),
    Option(
        name="disable_chunking",
        help="Read the whole trace in one stage-1 call, whatever its size.",
        parse=_switch,
        variable="REFINERY_DISABLE_CHUNKING",
        default="off",
    ),
    Option(
        name="group_size_runs",
        help="Runs in a group, instead of groups by tokens.",
        parse=_count,
        variable="REFINERY_GROUP_SIZE_RUNS",
        default="by tokens",
    ),
    Option(
        name="group_tokens",
        help="Tokens in a group at most.",
        parse=_count,
        variable="REFINERY_GROUP_TOKENS",
        default="20000",
    ),
)


def add_to(parser: pytest.Parser) -> None:
    """Declare the flags and ini keys to pytest."""
    group = parser.getgroup("refinery", "expectations of LLM agents (pytest-refinery)")
    for option in OPTIONS:
        explained = _help(option)
        if option.flag and option.says:
            group.addoption(option.flag, dest=option.dest, action="store_const", const=option.says, help=explained)
        elif option.flag:
            group.addoption(option.flag, dest=option.dest, metavar=option.metavar, help=explained)
        kind: Literal["bool", "string"] = "bool" if option.parse is _switch else "string"
        parser.addini(option.ini, explained, type=kind, default=None)


def _help(option: Option) -> str:
    also = f"variable {option.variable}, " if option.variable else ""
    return f"{option.help} ({also}ini key {option.ini}; default: {option.default})"


def is_asked_for(config: pytest.Config) -> bool:
    """Tell whether this run wants the plugin, without reading any other setting.

    Raises:
        ConfigurationError: The switch itself has a wrong value.
    """
    return _read(OPTIONS[:1], _lookups(config)).refinery


def read(config: pytest.Config) -> Settings:
    """Return the settings of a pytest run.

    Raises:
        ConfigurationError: One or more values cannot be used; the message lists all of them.
    """
    return _read(OPTIONS, _lookups(config))


def read_environment() -> Settings:
    """Return the settings that the environment alone gives, for the command.

    Raises:
        ConfigurationError: One or more values cannot be used; the message lists all of them.
    """
    return _read(OPTIONS, (_variable,))


@dataclass(frozen=True)
class _Written:
    """A value as the user wrote it, and what to call the place."""

    where: str
    text: str


_Lookup: TypeAlias = Callable[[Option], _Written | None]


def _lookups(config: pytest.Config) -> tuple[_Lookup, ...]:
    # Precedence: flag, environment, ini; then the default in Settings.
    return partial(_flag, config), _variable, partial(_ini, config)


def _flag(config: pytest.Config, option: Option) -> _Written | None:
    value = config.getoption(option.dest, default=None) if option.flag else None
    return None if value is None else _Written(str(option.flag), value)


def _variable(option: Option) -> _Written | None:
    value = os.environ.get(option.variable) if option.variable else None
    return _Written(f"variable {option.variable}", value) if value else None


def _ini(config: pytest.Config, option: Option) -> _Written | None:
    # Here, not above: the command reads its settings without pytest.
    from pytest import UsageError  # noqa: PLC0415, PT013

    try:
        value = config.getini(option.ini)
    except (TypeError, ValueError, UsageError) as error:
        msg = f"ini key {option.ini}: {error}. {option.help}"
        raise ConfigurationError(msg) from error
    return None if value is None else _Written(f"ini key {option.ini}", str(value))


def _read(options: Iterable[Option], lookups: Iterable[_Lookup]) -> Settings:
    values: dict[str, Any] = {}
    problems: list[str] = []
    for option in options:
        try:
            written = next(filter(None, (lookup(option) for lookup in lookups)), None)
            if written is not None:
                values[option.name] = _parsed(option, written)
        except ConfigurationError as error:
            problems.append(str(error))
    if problems:
        raise ConfigurationError("\n".join(problems))
    return Settings(**values)


def _parsed(option: Option, written: _Written) -> object:
    try:
        return option.parse(written.text)
    except ValueError as error:
        msg = f"{written.where}: {written.text!r} {error}. {option.help}"
        raise ConfigurationError(msg) from error

"""Each option once: its flag, environment variable, ini key, parser and help.

From this table come the command line, the ini keys, ``read()``, the page of the docs and the
texts of the errors. Values stay texts until ``read()`` parses them: texts travel to xdist's
workers, and a wrong one gets the same message wherever it was written.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from pytest_refinery.errors import ConfigurationError, did_you_mean, names_callable
from pytest_refinery.settings import DEFAULT_MODEL, UNLIMITED, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})


# Named tuples: every run of pytest loads this module, and a dataclass takes a millisecond to be made.
class Option(NamedTuple):
    """One row of the table.

    Attributes:
        name: The field of ``Settings``.
        parse: Turns a text into the value; raises ``ValueError`` with what would be right.
        default: What holds where nothing is given, in words.
        metavar: What the flag's argument is called, if there is a flag and it takes one.
        says: What the flag means where it takes no argument.
        flag_help: What the flag does, where that is the opposite of ``help``.
    """

    name: str
    help: str
    parse: Callable[[str], object]
    default: str
    metavar: str | None = None
    says: str | None = None
    has_variable: bool = True
    flag_help: str = ""

    @property
    def flag(self) -> str | None:
        """The command-line flag, if there is one."""
        words = ["refinery", *([] if self.name == "refinery" else self.name.split("_"))]
        if self.says == "false":
            words.insert(1, "no")
        return f"--{'-'.join(words)}" if self.metavar or self.says else None

    @property
    def variable(self) -> str | None:
        """The environment variable, if there is one."""
        return self.ini.upper() if self.has_variable else None

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


def _bounded(
    text: str,
    *,
    kind: type[int | float] = int,
    what: str = "whole number",
    above: int | None = None,
    least: int = 0,
    most: float = math.inf,
) -> float:
    is_whole = text.isascii() and text.isdigit()
    try:
        number = kind(text) if is_whole or kind is float else math.nan
    except ValueError:
        number = math.nan
    if least <= number <= most and number < math.inf and (above is None or number > above):
        return number
    bounds = f"from {least} to {most:g}" if most < math.inf else f"of at least {least}" if above is None else "above 0"
    msg = f"is not a {what} {bounds}"
    raise ValueError(msg)


_count = partial(_bounded, above=0)
_seconds = partial(_bounded, kind=float, what="number of seconds")


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text in words:
            return text
        msg = f"is none of {', '.join(words)}.{did_you_mean(text, words)}"
        raise ValueError(msg)

    return parse


def _budget_url(text: str) -> str | None:
    if text == "file":
        return None
    if text.startswith(("redis://", "rediss://", "unix://")):
        return text
    msg = "is neither file nor an address that begins with redis://, rediss:// or unix://"
    raise ValueError(msg)


def _text(text: str) -> str:
    if text.strip():
        return text
    msg = "is empty"
    raise ValueError(msg)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, text.splitlines())))


def _patterns(text: str) -> tuple[str, ...]:
    found = _lines(text)
    for pattern in found:
        try:
            re.compile(pattern)
        except re.error as error:
            msg = f"holds no regular expression: {pattern!r} ({error})"
            raise ValueError(msg) from error
    return found


def _callable(text: str) -> str:
    if names_callable(text):
        return text
    msg = "is not of the form package.module:callable"
    raise ValueError(msg)


OPTIONS = (
    Option("refinery", "Run *.refinery.yaml files as tests and diagnose what fails.", _switch, "off", says="true"),
    Option(
        "analyst",
        "Who diagnoses: openai (a model), builtin (rules), or a plugin's analyst.",
        _text,
        "auto: openai with a key or a cassette, else builtin",
        metavar="NAME",
    ),
    Option("model", "The model that diagnoses and judges.", _text, DEFAULT_MODEL, metavar="NAME"),
    Option(
        "api",
        "The API for the model: responses, chat (Chat Completions), or auto.",
        _one_of("auto", "responses", "chat"),
        "auto: responses, and chat where the service does not have it",
        metavar="API",
    ),
    Option(
        "effort",
        "Reasoning effort of the model: none, low, medium or high.",
        _one_of("none", "low", "medium", "high"),
        "low for the diagnosis stage and the judge, else as little as the model can",
        metavar="EFFORT",
    ),
    Option(
        "context",
        "How the model gets the trace: file_search, inline, or auto.",
        _one_of("auto", "file_search", "inline"),
        "auto: inline what fits one call, else file_search where the service has it",
        metavar="WAY",
    ),
    Option(
        "record",
        "Cassette mode: auto, none (replay, no network), once, new_episodes, or all.",
        _one_of("auto", "none", "once", "new_episodes", "all"),
        "auto",
        metavar="MODE",
    ),
    Option(
        "cassettes",
        "The folder of the cassettes, relative to the suite's root.",
        _text,
        "cassettes",
        has_variable=False,
    ),
    Option(
        "strict_cassettes",
        "Report an item as an error when its cassette has unused requests.",
        _switch,
        "off: they are reported",
        says="true",
    ),
    Option(
        "scrub",
        "Regular expressions, one a line, of text to remove from cassettes.",
        _patterns,
        "none",
        has_variable=False,
    ),
    Option("scrub_personal", "Replace e-mail addresses, card numbers and phone numbers in cassettes.", _switch, "off"),
    Option(
        "allowed_hosts",
        "Hosts, one a line, that a replay without network may reach.",
        _lines,
        "none",
        has_variable=False,
    ),
    Option(
        "agent",
        "The agent to re-run for expectations that name none: package.module:callable.",
        _callable,
        "none: the recorded trace is judged",
        has_variable=False,
    ),
    Option(
        "update",
        "Write re-run traces into their files: where they passed, or all.",
        _one_of("passed", "all"),
        "none: recordings stay as they are",
        metavar="WHEN",
        has_variable=False,
    ),
    Option("report", "Write report.json, report.md and index.html to this folder.", _text, "none", metavar="DIR"),
    Option(
        "baseline",
        "Compare with this report.json, or with a baseline that was saved.",
        _text,
        "the report in the folder of --refinery-report, else the last run",
        metavar="BASELINE",
    ),
    Option(
        "fail_on",
        "Which failures fail the run: any, new or regression (beyond chance).",
        _one_of("any", "new", "regression"),
        "any",
        metavar="WHICH",
    ),
    Option(
        "alpha",
        "How often a run that is no worse may fail by chance.",
        partial(_bounded, kind=float, what="number", above=0, most=0.5),
        "0.05",
    ),
    Option(
        "junit_properties",
        "Add refinery properties to JUnit files; the schema of xunit2 forbids them.",
        _switch,
        "on",
        has_variable=False,
    ),
    Option(
        "plan",
        "Print calls, tokens, minutes and cost of this run; spend nothing.",
        _switch,
        "off",
        says="true",
        has_variable=False,
    ),
    Option(
        "verify",
        "Try each suggested fix N times in a copy of the project.",
        _count,
        "off",
        metavar="RUNS",
    ),
    Option(
        "replay",
        "Without an agent, ask the decisive model call again N times.",
        _count,
        "off",
        metavar="TIMES",
    ),
    Option(
        "diagnose",
        "Diagnose failures.",
        _switch,
        "on",
        says="false",
        flag_help="Only check expectations; do not diagnose failures.",
    ),
    Option(
        "diagnose_xfail",
        "Also diagnose expected failures; they stay expected failures.",
        _switch,
        "off",
        says="true",
    ),
    Option(
        "max_diagnoses",
        "Diagnose at most N failures in a session, over all workers.",
        _count,
        "no limit",
        metavar="N",
    ),
    Option("max_tokens", "Use at most N tokens in a session, over all workers.", _count, "no limit", metavar="N"),
    Option(
        "timeout",
        "Seconds for one diagnosis or picture, without waiting for the limit.",
        partial(_seconds, above=0),
        "300",
        metavar="SECONDS",
    ),
    Option(
        "max_wait",
        "Seconds that one diagnosis may wait for the token limit.",
        partial(_seconds, above=0),
        "twice of what is foreseen when it begins to wait, 120 at least",
        metavar="SECONDS",
    ),
    Option(
        "fetch_timeout",
        "Seconds to retry LangSmith while it is down or limits requests.",
        partial(_seconds, above=0),
        "120",
    ),
    Option(
        "max_trace_mb",
        "Largest trace file to read, in megabytes, unpacked.",
        _count,
        "256",
        metavar="MB",
    ),
    Option(
        "tpm",
        "Tokens per minute that all workers together may use, or unlimited.",
        lambda text: UNLIMITED if text == "unlimited" else _count(text),
        "what the service says; until it has 30000, on this machine or a private network unlimited",
        metavar="N",
    ),
    Option(
        "rpm", "Requests per minute that all workers together may send.", _count, "what the service says", metavar="N"
    ),
    Option(
        "tpm_model",
        "How the service counts tokens: bucket, sliding, or auto.",
        _one_of("auto", "sliding", "bucket"),
        "auto",
    ),
    Option(
        "budget_url",
        "Where the budget is kept: file, or redis://... for several machines.",
        _budget_url,
        "file",
    ),
    Option(
        "reserves_output",
        "Whether the service counts permitted output on arrival: true, false, auto.",
        lambda text: None if text == "auto" else _switch(text),
        "auto",
    ),
    Option("disable_chunking", "Read the whole trace in one stage-1 call, whatever its size.", _switch, "off"),
    Option("group_size_runs", "Runs in a group, instead of groups by tokens.", _count, "by tokens"),
    Option("group_tokens", "Most tokens in a group.", _count, "what fits the limit, 20000 at most", metavar="N"),
    Option(
        "max_num_results",
        "Most results of a file search, 1 to 50.",
        partial(_bounded, least=1, most=50),
        "what covers the group",
    ),
    Option(
        "max_output_tokens_stage1",
        "Most output tokens of a stage-1 answer.",
        partial(_bounded, least=16),
        "sized to the group",
    ),
    Option("max_output_tokens_other", "Most output tokens of any other answer.", partial(_bounded, least=16), "1200"),
    Option(
        "inter_group_sleep_s",
        "Seconds between two groups, which are then read in turn.",
        _seconds,
        "0: the budget paces",
    ),
    Option(
        "temperature",
        "Sampling temperature, 0 to 2; not sent to models that refuse it.",
        partial(_bounded, kind=float, what="number", most=2),
        "0.2",
    ),
)


def add_to(parser: pytest.Parser) -> None:
    """Declare the flags and ini keys to pytest."""
    group = parser.getgroup("refinery", "expectations of LLM agents (pytest-refinery)")
    for option in OPTIONS:
        explained = _help(option, option.flag_help or option.help)
        if option.flag and option.says:
            group.addoption(option.flag, dest=option.dest, action="store_const", const=option.says, help=explained)
        elif option.flag:
            group.addoption(option.flag, dest=option.dest, metavar=option.metavar, help=explained)
        parser.addini(option.ini, _help(option, option.help), type=_KINDS.get(option.parse, "string"), default=None)


# How pytest is to read a value; where a file has native numbers and lists, ``_ini`` reads them.
_KINDS: dict[Callable[[str], object], Literal["bool", "linelist"]] = {
    _switch: "bool",
    _lines: "linelist",
    _patterns: "linelist",
}


def _help(option: Option, what: str) -> str:
    also = f"variable {option.variable}, " if option.variable else ""
    return f"{what} ({also}ini key {option.ini}; default: {option.default})"


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


class _Written(NamedTuple):
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

    where = f"ini key {option.ini}"
    try:
        with warnings.catch_warnings():
            # A list where one value is meant: said below, in our words.
            warnings.simplefilter("ignore")
            value = config.getini(option.ini)
    except (TypeError, ValueError, UsageError) as error:
        value = _native(config, option)
        if value is None:
            msg = f"{where}: {error}. {option.help}"
            raise ConfigurationError(msg) from error
    if value is None:
        return None
    if option.name == "report" and config.inipath and config.inipath.parent != config.invocation_params.dir:
        # What a file says is meant from where the file is; a flag, from where it is typed.
        value = str(config.inipath.parent / str(value))
    if not isinstance(value, list):
        return _Written(where, str(value))
    if _KINDS.get(option.parse) != "linelist" or not all(isinstance(each, str) for each in value):
        meant = "a list of texts" if _KINDS.get(option.parse) == "linelist" else "one value, not a list"
        msg = f"{where}: {value!r} is not what it takes: {meant}. {option.help}"
        raise ConfigurationError(msg)
    return _Written(where, "\n".join(value))


def _native(config: pytest.Config, option: Option) -> object:
    """Return what a TOML file says in its own types, which pytest takes for some types of options only."""
    with warnings.catch_warnings():
        # There is no other way to a number: pytest 9.0 and 9.1 take one type for an option, 8 knows none for numbers.
        warnings.simplefilter("ignore")
        value = dict(getattr(config, "inicfg", {})).get(option.ini)
    value = getattr(value, "value", value)
    if isinstance(value, str):
        return value if _KINDS.get(option.parse) == "linelist" else None
    return value


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
        problem = str(error)
        stop = "" if problem.endswith((".", "?")) else "."
        msg = f"{written.where}: {written.text!r} {problem}{stop} {option.help}"
        raise ConfigurationError(msg) from error

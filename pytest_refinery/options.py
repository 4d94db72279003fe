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

from pytest_refinery.errors import ConfigurationError, did_you_mean
from pytest_refinery.settings import DEFAULT_MODEL, UNLIMITED, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})
_APIS = ("auto", "responses", "chat")
_EFFORTS = ("none", "low", "medium", "high")
_CONTEXTS = ("auto", "file_search", "inline")
_TPM_MODELS = ("auto", "sliding", "bucket")
_RECORD_MODES = ("auto", "none", "once", "new_episodes", "all")
# The service's own limits.
_MOST_RESULTS, _LEAST_OUTPUT_TOKENS, _HIGHEST_TEMPERATURE = 50, 16, 2


# Named tuples: every run of pytest loads this module, and a dataclass takes a millisecond to be made.
class Option(NamedTuple):
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


def _whole(text: str, *, least: int = 1, most: int | None = None) -> int:
    if text.isascii() and text.isdigit() and least <= int(text) <= (int(text) if most is None else most):
        return int(text)
    bounds = f"from {least} to {most}" if most else f"of at least {least}" if least > 1 else "above 0"
    msg = f"is not a whole number {bounds}"
    raise ValueError(msg)


def _number(text: str, *, most: float = math.inf, what: str = "number", is_positive: bool = False) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if 0 <= number <= most and number < math.inf and (number or not is_positive):
        return number
    bounds = f"from 0 to {most:g}" if most < math.inf else "above 0" if is_positive else "of at least 0"
    msg = f"is not a {what} {bounds}"
    raise ValueError(msg)


_seconds = partial(_number, what="number of seconds", is_positive=True)


def _one_of(text: str, *, words: tuple[str, ...]) -> str:
    if text in words:
        return text
    msg = f"is none of {', '.join(words)}.{did_you_mean(text, words)}"
    raise ValueError(msg)


def _budget_url(text: str) -> str | None:
    if text == "file":
        return None
    if text.startswith(("redis://", "rediss://", "unix://")):
        return text
    msg = "is neither file nor an address that begins with redis://, rediss:// or unix://"
    raise ValueError(msg)


def _switch_or_auto(text: str) -> bool | None:
    return None if text == "auto" else _switch(text)


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
    module, separator, name = text.partition(":")
    if separator and all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
        return text
    msg = "is not of the form package.module:callable"
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
        help=(
            "Who answers the stages of a diagnosis: openai (a model), builtin (rules, no network, no key), or one that "
            "a plugin offers."
        ),
        parse=_text,
        flag="--refinery-analyst",
        metavar="NAME",
        variable="REFINERY_ANALYST",
        default="auto: openai with a key or a cassette, else builtin",
    ),
    Option(
        name="model",
        help="The model that diagnoses and judges.",
        parse=_text,
        flag="--refinery-model",
        metavar="NAME",
        variable="REFINERY_MODEL",
        default=DEFAULT_MODEL,
    ),
    Option(
        name="api",
        help=(
            "The protocol in which the model is asked: responses, chat (Chat Completions, as most services and local "
            "servers have it) or auto."
        ),
        parse=partial(_one_of, words=_APIS),
        flag="--refinery-api",
        metavar="API",
        variable="REFINERY_API",
        default="auto: responses, and chat where the service does not have it",
    ),
    Option(
        name="effort",
        help="How hard a model that can think shall think: none, low, medium or high.",
        parse=partial(_one_of, words=_EFFORTS),
        flag="--refinery-effort",
        metavar="EFFORT",
        variable="REFINERY_EFFORT",
        default="low for the diagnosis stage and the judge, else as little as the model can",
    ),
    Option(
        name="context",
        help="How the model gets the trace: file_search (a hosted vector store), inline (in the prompt) or auto.",
        parse=partial(_one_of, words=_CONTEXTS),
        flag="--refinery-context",
        metavar="WAY",
        variable="REFINERY_CONTEXT",
        default="auto: inline what fits one call, else file_search where the service has it",
    ),
    Option(
        name="record",
        help=(
            "What becomes of an item's HTTP requests, in VCR's words: auto (replay where there is a cassette, else go "
            "live and record nothing), none (replay only, no network), once, new_episodes or all."
        ),
        parse=partial(_one_of, words=_RECORD_MODES),
        flag="--refinery-record",
        metavar="MODE",
        variable="REFINERY_RECORD",
        default="auto",
    ),
    Option(
        name="cassettes",
        help="The folder of the cassettes, relative to the suite's root.",
        parse=_text,
        default="cassettes",
    ),
    Option(
        name="strict_cassettes",
        help="Make an item an error that leaves a recorded request of its cassette unused.",
        parse=_switch,
        flag="--refinery-strict-cassettes",
        says="true",
        variable="REFINERY_STRICT_CASSETTES",
        default="off: they are reported",
    ),
    Option(
        name="scrub",
        help="Regular expressions, one a line, of what no cassette may hold beside secrets, which are always removed.",
        parse=_patterns,
        default="none",
    ),
    Option(
        name="scrub_personal",
        help="Replace e-mail addresses, card numbers and phone numbers in cassettes.",
        parse=_switch,
        variable="REFINERY_SCRUB_PERSONAL",
        default="off",
    ),
    Option(
        name="allowed_hosts",
        help="Hosts, one a line, that may be reached while an item replays without network, such as 127.0.0.1.",
        parse=_lines,
        default="none",
    ),
    Option(
        name="agent",
        help="The agent that is run anew for expectations that name none: package.module:callable.",
        parse=_callable,
        default="none: the recorded trace is judged",
    ),
    Option(
        name="report",
        help="Write report.json, report.md and index.html to this folder.",
        parse=_text,
        flag="--refinery-report",
        metavar="DIR",
        variable="REFINERY_REPORT",
        default="none",
    ),
    Option(
        name="junit_properties",
        help="Give each item of pytest's JUnit file our properties; off where the file must fit the schema of xunit2.",
        parse=_switch,
        default="on",
    ),
    Option(
        name="plan",
        help="Say what the diagnoses of this run would cost in calls, tokens, minutes and money; spend nothing.",
        parse=_switch,
        flag="--refinery-plan",
        says="true",
        default="off",
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
        name="diagnose_xfail",
        help="Diagnose also what was expected to fail; it stays an expected failure.",
        parse=_switch,
        flag="--refinery-diagnose-xfail",
        says="true",
        variable="REFINERY_DIAGNOSE_XFAIL",
        default="off",
    ),
    Option(
        name="max_diagnoses",
        help="Diagnose at most this many failures of a session, over all workers.",
        parse=_whole,
        flag="--refinery-max-diagnoses",
        metavar="N",
        variable="REFINERY_MAX_DIAGNOSES",
        default="no limit",
    ),
    Option(
        name="max_tokens",
        help="Tokens that a session may use at most, over all workers.",
        parse=_whole,
        flag="--refinery-max-tokens",
        metavar="N",
        variable="REFINERY_MAX_TOKENS",
        default="no limit",
    ),
    Option(
        name="timeout",
        help=(
            "Seconds that one diagnosis may work, without the time that it waits for others; what was found until then "
            "is shown."
        ),
        parse=_seconds,
        flag="--refinery-timeout",
        metavar="SECONDS",
        variable="REFINERY_TIMEOUT",
        default="300",
    ),
    Option(
        name="max_wait",
        help=(
            "Seconds that one diagnosis may wait for others, which use the same limit; then what is missing is left to "
            "the rules."
        ),
        parse=_seconds,
        flag="--refinery-max-wait",
        metavar="SECONDS",
        variable="REFINERY_MAX_WAIT",
        default="twice of what is foreseen when it begins to wait, 120 at least",
    ),
    Option(
        name="fetch_timeout",
        help="Seconds to go on asking LangSmith for a trace while it is down, or says that it is asked too often.",
        parse=_seconds,
        variable="REFINERY_FETCH_TIMEOUT",
        default="120",
    ),
    Option(
        name="max_trace_mb",
        help="Megabytes that a trace file may hold, unpacked; one value of it may have a quarter of that.",
        parse=_whole,
        flag="--refinery-max-trace-mb",
        metavar="MB",
        variable="REFINERY_MAX_TRACE_MB",
        default="256",
    ),
    Option(
        name="tpm",
        help="Tokens per minute that all workers together may use, or unlimited.",
        parse=lambda text: UNLIMITED if text == "unlimited" else _whole(text),
        flag="--refinery-tpm",
        metavar="N",
        variable="REFINERY_TPM",
        default="what the service says; until it has 30000, on this machine or a private network unlimited",
    ),
    Option(
        name="rpm",
        help="Requests per minute that all workers together may send.",
        parse=_whole,
        flag="--refinery-rpm",
        metavar="N",
        variable="REFINERY_RPM",
        default="what the service says",
    ),
    Option(
        name="tpm_model",
        help="How the service counts: bucket (refilled continuously, as OpenAI), sliding (safe everywhere) or auto.",
        parse=partial(_one_of, words=_TPM_MODELS),
        variable="REFINERY_TPM_MODEL",
        default="auto",
    ),
    Option(
        name="budget_url",
        help="Where the budget is kept: file (one machine), or redis://... for several; see share-the-budget.",
        parse=_budget_url,
        variable="REFINERY_BUDGET_URL",
        default="file",
    ),
    Option(
        name="reserves_output",
        help="Whether the service counts the whole permitted output when a request arrives: true, false or auto.",
        parse=_switch_or_auto,
        variable="REFINERY_RESERVES_OUTPUT",
        default="auto",
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
        parse=_whole,
        variable="REFINERY_GROUP_SIZE_RUNS",
        default="by tokens",
    ),
    Option(
        name="group_tokens",
        help="Tokens in a group at most.",
        parse=_whole,
        flag="--refinery-group-tokens",
        metavar="N",
        variable="REFINERY_GROUP_TOKENS",
        default="what fits the limit, 20000 at most",
    ),
    Option(
        name="max_num_results",
        help="Results of a file search at most, 1 to 50; a stage after the first takes no more than 3.",
        parse=partial(_whole, most=_MOST_RESULTS),
        variable="REFINERY_MAX_NUM_RESULTS",
        default="what covers the group",
    ),
    Option(
        name="max_output_tokens_stage1",
        help="Output tokens of a stage-1 answer at most.",
        parse=partial(_whole, least=_LEAST_OUTPUT_TOKENS),
        variable="REFINERY_MAX_OUTPUT_TOKENS_STAGE1",
        default="sized to the group",
    ),
    Option(
        name="max_output_tokens_other",
        help="Output tokens of any other answer at most.",
        parse=partial(_whole, least=_LEAST_OUTPUT_TOKENS),
        variable="REFINERY_MAX_OUTPUT_TOKENS_OTHER",
        default="1200",
    ),
    Option(
        name="inter_group_sleep_s",
        help="Seconds between two groups, which are then read one after the other.",
        parse=partial(_number, what="number of seconds"),
        variable="REFINERY_INTER_GROUP_SLEEP_S",
        default="0: the budget paces",
    ),
    Option(
        name="temperature",
        help="How freely the model answers, 0 to 2; not sent to models that refuse it.",
        parse=partial(_number, most=_HIGHEST_TEMPERATURE),
        variable="REFINERY_TEMPERATURE",
        default="0.2",
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
        parser.addini(option.ini, explained, type=_KINDS.get(option.parse, "string"), default=None)


# How pytest is to read a value; where a file has native numbers and lists, ``_ini`` reads them.
_KINDS: dict[Callable[[str], object], Literal["bool", "linelist"]] = {
    _switch: "bool",
    _lines: "linelist",
    _patterns: "linelist",
}


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

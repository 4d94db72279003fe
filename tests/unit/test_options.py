from __future__ import annotations

import dataclasses
import re
import types
import typing

import pytest

from pytest_refinery import options
from pytest_refinery.errors import ConfigurationError
from pytest_refinery.options import OPTIONS
from pytest_refinery.settings import Settings

SAMPLES = (
    "true",
    "low",
    "0.2",
    "5",
    "20",
    "builtin",
    "auto",
    "bucket",
    "redis://localhost:6379",
    "package.module:agent",
    "passed",
    "any",
)


def test_each_setting_has_one_row_and_each_row_a_setting() -> None:
    assert sorted(option.name for option in OPTIONS) == sorted(field.name for field in dataclasses.fields(Settings))


def _members(wanted: object) -> tuple[type, ...]:
    """Return the types in a union, or the one type that is none."""
    return typing.get_args(wanted) if isinstance(wanted, types.UnionType) else (typing.cast("type", wanted),)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_a_parser_gives_what_its_setting_holds(option: options.Option) -> None:
    wanted = typing.get_type_hints(Settings)[option.name]
    kinds = (typing.get_origin(kind) or kind for kind in _members(wanted))
    accepted = tuple(str if kind is typing.Literal else kind for kind in kinds)
    parsed = []
    for sample in SAMPLES:
        try:
            parsed.append(option.parse(sample))
        except ValueError:
            continue
    assert parsed
    assert all(isinstance(value, accepted) for value in parsed)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_names_follow_one_pattern(option: options.Option) -> None:
    assert option.flag is None or option.flag.startswith("--refinery")
    assert option.variable is None or option.variable.startswith("REFINERY")
    assert option.help.endswith(".")


def test_secrets_are_no_settings() -> None:
    assert not [field.name for field in dataclasses.fields(Settings) if "key" in field.name or "secret" in field.name]


def test_an_empty_variable_is_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFINERY_TIMEOUT", "")
    assert options.read_environment() == Settings()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("nune", "'nune' is none of auto, none, once, new_episodes, all. Did you mean 'none'? Cassette mode"),
        ("x", "'x' is none of auto, none, once, new_episodes, all. Cassette mode"),
    ],
)
def test_a_wrong_word_is_told_in_whole_sentences(monkeypatch: pytest.MonkeyPatch, word: str, said: str) -> None:
    monkeypatch.setenv("REFINERY_RECORD", word)
    with pytest.raises(ConfigurationError, match=re.escape(f"variable REFINERY_RECORD: {said}")):
        options.read_environment()

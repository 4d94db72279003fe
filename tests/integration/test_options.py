"""Flags, variables and ini keys: their order, and what a wrong value says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.runners import WITH_WORKERS

if TYPE_CHECKING:
    from pathlib import Path

USAGE_ERROR = pytest.ExitCode.USAGE_ERROR


@pytest.mark.usefixtures("suite")
def test_without_being_asked_nothing_is_collected(pytester: pytest.Pytester) -> None:
    assert pytester.runpytest().ret == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize("value", ["1", "true", "YES", "on"])
def test_the_variable_asks_for_the_plugin(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("REFINERY", value)
    pytester.runpytest("-k", "mentions").assert_outcomes(passed=1, deselected=2)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.ini", "[pytest]\nrefinery = true\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\nrefinery = true\n"),
        ("tox.ini", "[pytest]\nrefinery = on\n"),
    ],
)
def test_an_ini_key_asks_for_the_plugin(pytester: pytest.Pytester, suite: Path, name: str, text: str) -> None:
    (suite / name).write_text(text, encoding="utf-8")
    pytester.runpytest("-k", "mentions").assert_outcomes(passed=1, deselected=2)


def test_the_variable_beats_the_ini_key(
    pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (suite / "pytest.ini").write_text("[pytest]\nrefinery = true\n", encoding="utf-8")
    monkeypatch.setenv("REFINERY", "off")
    assert pytester.runpytest().ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_the_flag_beats_the_variable(pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFINERY", "off")
    monkeypatch.setenv("REFINERY_REPORT", "by-variable")
    (suite / "pytest.ini").write_text("[pytest]\nrefinery_report = by-ini\n", encoding="utf-8")
    pytester.runpytest("--refinery", "--refinery-report", "by-flag")
    assert (suite / "by-flag" / "report.json").exists()
    pytester.runpytest("--refinery")
    assert (suite / "by-variable" / "report.json").exists()
    monkeypatch.delenv("REFINERY_REPORT")
    pytester.runpytest("--refinery")
    assert (suite / "by-ini" / "report.json").exists()


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--refinery-timeout", "soon"), "--refinery-timeout: 'soon' is not a number of seconds above 0."),
        (("--refinery-timeout", "0"), "--refinery-timeout: '0' is not a number of seconds above 0."),
        (("--refinery-timeout", "nan"), "--refinery-timeout: 'nan' is not a number of seconds above 0."),
        (("--refinery-max-diagnoses", "-1"), "--refinery-max-diagnoses: '-1' is not a whole number above 0."),
        (("--refinery-report", ""), "--refinery-report: '' is empty."),
        (("-o", "refinery_group_tokens=many"), "ini key refinery_group_tokens: 'many' is not a whole number above 0."),
        (("--refinery-analyst", "bultin"), "There is no analyst 'bultin'. Did you mean 'builtin'?"),
    ],
)
def test_a_wrong_value_ends_the_run_with_one_sentence(
    pytester: pytest.Pytester, plugin_args: tuple[str, ...], args: tuple[str, ...], said: str
) -> None:
    result = pytester.runpytest("--refinery", *plugin_args, *args)
    assert result.ret == USAGE_ERROR
    assert result.errlines[0].startswith(f"ERROR: {said}")


@pytest.mark.usefixtures("suite")
def test_a_wrong_variable_is_named(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFINERY", "perhaps")
    result = pytester.runpytest()
    assert result.ret == USAGE_ERROR
    assert result.errlines[0].startswith("ERROR: variable REFINERY: 'perhaps' is neither true nor false.")


@pytest.mark.usefixtures("suite")
def test_all_wrong_values_are_told_at_once(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFINERY_GROUP_SIZE_RUNS", "6.5")
    result = pytester.runpytest("--refinery", "--refinery-timeout", "soon", "-o", "refinery_disable_chunking=maybe")
    told = "\n".join(result.errlines)
    assert result.ret == USAGE_ERROR
    assert "--refinery-timeout: 'soon'" in told
    assert "variable REFINERY_GROUP_SIZE_RUNS: '6.5'" in told
    assert "ini key refinery_disable_chunking: " in told


@pytest.mark.usefixtures("suite")
def test_without_diagnoses_expectations_are_only_checked(
    pytester: pytest.Pytester, plugin_args: tuple[str, ...]
) -> None:
    result = pytester.runpytest("--refinery", "--refinery-no-diagnose", *plugin_args)
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.no_fnmatch_line("*refinery diagnosis*")
    result.stdout.fnmatch_lines(["Failed       output.not_contains 'from now on'"])


@WITH_WORKERS
def test_a_limit_of_diagnoses_holds_over_all_workers(
    pytester: pytest.Pytester, suite: Path, plugin_args: tuple[str, ...]
) -> None:
    one = "  - {id: n%d, expect: It holds., checks: [{output: {equals: x}}]}\n"
    text = "trace: traces/sweep.json\nexpectations:\n" + "".join(one % number for number in range(6))
    (suite / "memory.refinery.yaml").write_text(text, encoding="utf-8")
    result = pytester.runpytest("--refinery", "--refinery-max-diagnoses", "2", *plugin_args)
    result.assert_outcomes(failed=6)
    assert sum(line.startswith("Root cause") for line in result.outlines) == 2
    said = "Not diagnosed: the limit of --refinery-max-diagnoses 2 is reached."
    assert result.outlines.count(said) == 4


def test_a_trace_may_be_cut_into_groups_of_runs(
    pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (suite / "conftest.py").write_text(
        "def pytest_refinery_diagnosed(diagnosis):\n    print('calls', diagnosis.stages[0].calls)\n", encoding="utf-8"
    )
    monkeypatch.setenv("REFINERY_GROUP_SIZE_RUNS", "1")
    pytester.runpytest("--refinery", "-s").stdout.fnmatch_lines(["*calls 3"])
    monkeypatch.setenv("REFINERY_DISABLE_CHUNKING", "true")
    pytester.runpytest("--refinery", "-s").stdout.fnmatch_lines(["*calls 1"])


@pytest.mark.usefixtures("suite")
def test_a_report_that_cannot_be_written_is_a_warning(pytester: pytest.Pytester, plugin_args: tuple[str, ...]) -> None:
    result = pytester.runpytest("--refinery", "--refinery-report", "memory.refinery.yaml/x", *plugin_args)
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["warning: could not write the report to *memory.refinery.yaml/x: Not a directory"])


@pytest.mark.usefixtures("suite")
def test_help_lists_every_option(pytester: pytest.Pytester) -> None:
    from pytest_refinery.options import OPTIONS

    text = "\n".join(pytester.runpytest("--help").outlines)
    for option in OPTIONS:
        assert option.ini in text
        assert option.flag is None or option.flag in text


_SHOWS = (
    "from pytest_refinery import options\n"
    "def pytest_configure(config):\n"
    "    found = options.read(config)\n"
    "    print('READ', found.refinery, found.timeout, found.tpm, found.scrub, found.allowed_hosts, found.temperature)\n"
)


def test_lists_and_numbers_of_pyproject_are_read_as_they_are_meant(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(_SHOWS)
    pytester.makepyprojecttoml(
        "[tool.pytest.ini_options]\nrefinery = true\nrefinery_timeout = 60\nrefinery_tpm = 30000\n"
        'refinery_scrub = ["CUST-\\\\d+", "acct"]\nrefinery_allowed_hosts = ["127.0.0.1"]\nrefinery_temperature = 0.5\n'
    )
    result = pytester.runpytest("-s")
    result.stdout.fnmatch_lines(["READ True 60.0 30000 ('CUST-[\\]\\d+', 'acct') ('127.0.0.1',) 0.5"])


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest 9 reads native TOML")
@pytest.mark.parametrize(("name", "table"), [("pyproject.toml", "[tool.pytest]"), ("pytest.toml", "[pytest]")])
def test_native_toml_is_read_as_it_is_meant(pytester: pytest.Pytester, name: str, table: str) -> None:
    pytester.makeconftest(_SHOWS)
    pytester.path.joinpath(name).write_text(
        f"{table}\nrefinery = true\nrefinery_timeout = 60\nrefinery_tpm = 30000\n"
        'refinery_scrub = ["CUST-\\\\d+", "acct"]\nrefinery_allowed_hosts = ["127.0.0.1"]\nrefinery_temperature = 0.5\n'
    )
    result = pytester.runpytest("-s")
    result.stdout.fnmatch_lines(["READ True 60.0 30000 ('CUST-[\\]\\d+', 'acct') ('127.0.0.1',) 0.5"])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("refinery_timeout = ['60']", "refinery_timeout: ['60'] is not what it takes: one value, not a list."),
        ("refinery_model = ['a', 'b']", "refinery_model: ['a', 'b'] is not what it takes: one value, not a list."),
        ("refinery_scrub = ['(']", "'(' holds no regular expression: '('"),
    ],
)
def test_a_list_in_the_wrong_place_is_refused(pytester: pytest.Pytester, line: str, why: str) -> None:
    pytester.makepyprojecttoml(f"[tool.pytest.ini_options]\nrefinery = true\n{line}\n")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert why in result.stderr.str()

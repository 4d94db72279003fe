from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.errors import CheckError
from pytest_refinery.expectations.checks import Check, Verdict, run_checks
from tests.unit.expectations.made import answering, make_check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pytest_refinery.traces.model import Trace

TRACE = answering("Done.")


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder for modules of checks; what is imported from it is forgotten afterwards."""
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def run(suite: Path, code: str, *, target: str = "suite_checks:check") -> Verdict:
    (suite / "suite_checks.py").write_text(code)
    (verdict,) = run_checks([make_check("python", target)], TRACE, import_from=[suite])
    return verdict


def reason(suite: Path, code: str, *, target: str = "suite_checks:check") -> str:
    """Return why the check is undecided, with the folder as ``SUITE``."""
    with pytest.raises(CheckError) as caught:
        run(suite, code, target=target)
    return str(caught.value).replace(str(suite), "SUITE")


@pytest.mark.parametrize("answer", ["None", "True"])
def test_a_function_that_finds_nothing_wrong_passes(suite: Path, answer: str) -> None:
    assert run(suite, f"def check(trace): return {answer}").passed


def test_the_function_is_given_the_trace(suite: Path) -> None:
    assert run(suite, "def check(trace): return trace.root.outputs['output']").actual == "'Done.'"


def test_what_a_check_changes_changes_no_other_one(suite: Path) -> None:
    (suite / "suite_checks.py").write_text("def check(trace):\n    trace.root.outputs.clear()\n")
    custom = {"own": lambda trace, _: trace.root.outputs.clear()}
    wanted = [
        make_check("python", "suite_checks:check"),
        Check.model_validate({"own": 1}, context={"custom": custom}),
        make_check("output", {"contains": "Done"}),
    ]
    assert all(each.passed for each in run_checks(wanted, TRACE, custom=custom, import_from=[suite]))


def test_false_fails(suite: Path) -> None:
    assert run(suite, "def check(trace): return False").message == (
        "expected python suite_checks:check to hold, was false (in run 'agent', id agent)"
    )


def test_a_text_fails_and_says_what_was_there(suite: Path) -> None:
    verdict = run(suite, "def check(trace): return 'two gaps'")
    assert (verdict.name, verdict.passed, verdict.actual) == ("python suite_checks:check", False, "'two gaps'")


def test_an_assertion_fails_with_its_message(suite: Path) -> None:
    assert run(suite, "def check(trace): assert not trace.runs, 'there are runs'").actual == "'there are runs'"


def test_an_assertion_without_a_message_fails_with_its_line(suite: Path) -> None:
    verdict = run(suite, "def check(trace):\n    assert not trace.runs")
    assert verdict.actual == f"'assert not trace.runs' at {suite / 'suite_checks.py'}:2"


def test_a_method_can_be_a_check(suite: Path) -> None:
    code = "class Money:\n    @staticmethod\n    def check(trace): return False"
    assert not run(suite, code, target="suite_checks:Money.check").passed


def test_a_module_in_a_package_can_hold_a_check(suite: Path) -> None:
    (suite / "suite_package").mkdir()
    (suite / "suite_package" / "money.py").write_text("def check(trace): return False")
    assert not run(suite, "", target="suite_package.money:check").passed


def test_the_import_path_is_as_before(suite: Path) -> None:
    before = list(sys.path)
    run(suite, "def check(trace): ...")
    assert sys.path == before


def test_a_module_may_rearrange_the_import_path(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert run(suite, "import sys\nsys.path.pop(0)\ndef check(trace): ...").passed


def test_a_function_that_breaks_leaves_the_check_undecided_and_names_its_own_line(suite: Path) -> None:
    assert reason(suite, "def check(trace):\n    return trace.rnus") == (
        "The check python suite_checks:check broke: AttributeError: ''Trace' object has no attribute 'rnus'' "
        "at SUITE/suite_checks.py:2."
    )


def test_a_function_that_has_no_lines_can_break_too(suite: Path) -> None:
    assert reason(suite, "", target="operator:neg") == (
        "The check python operator:neg broke: TypeError: 'bad operand type for unary -: 'Trace''."
    )


def test_an_answer_that_means_nothing_leaves_the_check_undecided(suite: Path) -> None:
    assert reason(suite, "def check(trace): return 0.7") == (
        "The check python suite_checks:check returned '0.7'; it may return None, True, False or a text."
    )


def test_a_coroutine_leaves_the_check_undecided(suite: Path) -> None:
    assert reason(suite, "async def check(trace): return False").startswith(
        "The check python suite_checks:check returned '<coroutine object check at"
    )


@pytest.mark.parametrize("exception", [KeyboardInterrupt, pytest.skip.Exception])
def test_what_is_no_error_goes_through(exception: type[BaseException]) -> None:
    def stop(_trace: Trace, _argument: object) -> None:
        raise exception

    with pytest.raises(exception):
        run_checks([_custom("stop")], TRACE, custom={"stop": stop})


def test_an_unknown_function_is_compared_with_those_of_the_module(suite: Path) -> None:
    assert reason(suite, "def has_no_gap(trace): ...", target="suite_checks:has_no_gaps") == (
        "python: suite_checks:has_no_gaps: the module suite_checks has no 'has_no_gaps'. Did you mean 'has_no_gap'?"
    )


def test_what_cannot_be_called_is_no_check(suite: Path) -> None:
    assert reason(suite, "check = 3") == "python: suite_checks:check: 'check' is no function but int."


def test_an_unknown_module_is_compared_with_those_beside_the_file(suite: Path) -> None:
    assert reason(suite, "", target="suite_check:check") == (
        "python: suite_check:check: no module 'suite_check' in SUITE or among the installed ones. "
        "Did you mean 'suite_checks'?"
    )


def test_an_unknown_module_without_folders_is_said() -> None:
    with pytest.raises(CheckError) as caught:
        run_checks([make_check("python", "no_such_module:check")], TRACE)
    assert str(caught.value) == (
        "python: no_such_module:check: no module 'no_such_module' in the import path or among the installed ones."
    )


def test_a_missing_requirement_of_the_module_is_told_from_the_module(suite: Path) -> None:
    assert reason(suite, "import no_such_package") == (
        "python: suite_checks:check: importing suite_checks needs the module 'no_such_package', which is not installed."
    )


def test_a_module_that_breaks_is_said_with_the_place(suite: Path) -> None:
    assert reason(suite, "x = 1\ny = x / 0") == (
        "python: suite_checks:check: importing suite_checks raised ZeroDivisionError: 'division by zero' "
        "at SUITE/suite_checks.py:2."
    )


def test_a_module_with_a_syntax_error_is_said(suite: Path) -> None:
    assert reason(suite, "def check(").startswith("python: suite_checks:check: importing suite_checks raised SyntaxErr")


def test_a_namesake_that_is_already_imported_is_refused(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    run(elsewhere, "def check(trace): ...")
    assert reason(suite, "def check(trace): ...") == (
        "python: suite_checks:check: SUITE/suite_checks.py is hidden by "
        f"{elsewhere / 'suite_checks.py'}, already imported as suite_checks; rename one of them."
    )


def test_a_module_of_the_installed_ones_needs_no_folder(suite: Path) -> None:
    assert run(suite, "", target="operator:truth").passed


def _custom(name: str, argument: object = None) -> Check:
    return Check.model_validate({name: argument}, context={"custom": [name]})


def refuse_all(_trace: Trace, argument: object) -> str:
    return f"not {argument}"


@pytest.mark.parametrize("argument", [None, 3, {"polite": True}])
def test_a_contributed_check_is_given_its_argument(argument: object) -> None:
    custom: Mapping[str, Callable[..., object]] = {"tone": refuse_all}
    (verdict,) = run_checks([_custom("tone", argument)], TRACE, custom=custom)
    assert (verdict.name, verdict.passed, verdict.expected) == ("tone", False, "tone to hold")
    assert verdict.actual == f'"not {argument}"'.replace('"', "'")


def test_a_contributed_check_may_have_the_name_of_a_method_of_the_model() -> None:
    (verdict,) = run_checks([_custom("copy", 1)], TRACE, custom={"copy": refuse_all})
    assert verdict.actual == "'not 1'"


def test_a_contributed_check_that_is_gone_is_undecided() -> None:
    with pytest.raises(CheckError) as caught:
        run_checks([_custom("tone")], TRACE, custom={"tones": refuse_all})
    assert str(caught.value) == "The check tone is not registered here. Did you mean 'tones'?"

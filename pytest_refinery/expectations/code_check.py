"""Checks that are functions: ``python: module:function``, and those that hooks contribute."""

from __future__ import annotations

import inspect
import traceback
from functools import partial
from typing import TYPE_CHECKING

from pytest_refinery.errors import CheckError, TargetError
from pytest_refinery.expectations import targets
from pytest_refinery.expectations.verdicts import Decision, Verdict, quoted, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_refinery.traces.model import Trace


def run_target(target: str, trace: Trace, *, import_from: Sequence[Path]) -> Verdict:
    """Call the function that ``target`` (``module:function``) names with the trace.

    Raises:
        CheckError: It cannot be imported, or it broke.
    """
    function = _resolved(target, import_from=import_from)
    return run_function(f"python {target}", partial(function, trace), trace)


def run_function(name: str, call: Callable[[], object], trace: Trace) -> Verdict:
    """Call a check's function and read its answer.

    ``None`` and ``True`` pass; ``False``, a text and an ``AssertionError`` fail.

    Raises:
        CheckError: It raised anything else, or returned anything else.
    """
    expected = f"{name} to hold"
    try:
        result = call()
    except AssertionError as error:
        return verdict(name, trace.root, Decision(passed=False, expected=expected, actual=_assertion(error)))
    except Exception as error:
        msg = f"The check {name} broke: {targets.raised(error, by=frozenset({__file__}))}."
        raise CheckError(msg) from error
    return verdict(name, trace.root, _read(result, name=name, expected=expected))


def _read(result: object, *, name: str, expected: str) -> Decision:
    if result is None or isinstance(result, bool):
        passed = result is not False
        return Decision(passed, expected, "true" if passed else "false")
    if isinstance(result, str):
        return Decision(passed=False, expected=expected, actual=quoted(result))
    if inspect.iscoroutine(result):
        result.close()
    msg = f"The check {name} returned {quoted(repr(result))}; it may return None, True, False or a text."
    raise CheckError(msg)


def _assertion(error: AssertionError) -> str:
    if text := str(error):
        return quoted(text)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{quoted(frame.line or 'assert')} at {frame.filename}:{frame.lineno}"


def _resolved(target: str, *, import_from: Sequence[Path]) -> Callable[..., object]:
    try:
        function = targets.found(target, import_from=import_from)
    except TargetError as error:
        msg = f"python: {target}: {error}"
        raise CheckError(msg) from error
    if not callable(function):
        msg = f"python: {target}: {quoted(target.partition(':')[2])} is no function but {type(function).__name__}."
        raise CheckError(msg)
    return function

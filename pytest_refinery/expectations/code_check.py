"""Checks that are functions: ``python: module:function``, and those that hooks contribute."""

from __future__ import annotations

import inspect
import traceback
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_refinery.errors import CheckError, TargetError
from pytest_refinery.expectations import targets
from pytest_refinery.expectations.verdicts import Decision, Facts, Verdict, quoted, verdict

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
    found = run_function(f"python {target}", partial(function, trace), trace, argument=target)
    return replace(found, failure=found.failure and replace(found.failure, check="python"))


def run_function(name: str, call: Callable[[], object], trace: Trace, *, argument: object) -> Verdict:
    """Call a check's function and read its answer; ``argument`` is what the file gives the check.

    ``None`` and ``True`` pass; ``False``, a text and an ``AssertionError`` fail.

    Raises:
        CheckError: It raised anything else, or returned anything else.
    """
    raised = None
    try:
        result = call()
    except AssertionError as failed:
        raised = failed
        passed, actual, error = False, _assertion(failed), str(failed) or None
    except Exception as broken:
        msg = f"The check {name} broke: {targets.raised(broken, by=frozenset({__file__}))}."
        # A debugger stops in the function.
        raise CheckError(msg).with_traceback(broken.__traceback__) from broken
    else:
        passed, actual, error = _read(result, name=name)
    facts = Facts(argument=argument, error=error)
    return replace(verdict(name, trace.root, Decision(passed, f"{name} to hold", actual, facts)), raised=raised)


def _read(result: object, *, name: str) -> tuple[bool, str, str | None]:
    """Return whether the check holds, what was there, and what the function says of it."""
    if result is None or isinstance(result, bool):
        passed = result is not False
        return passed, "true" if passed else "false", None
    if isinstance(result, str):
        return False, quoted(result), result
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

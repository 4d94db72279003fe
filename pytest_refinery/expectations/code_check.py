"""Checks that are functions: ``python: module:function``, and those that hooks contribute."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from contextlib import contextmanager, suppress
from functools import partial
from importlib.machinery import PathFinder
from operator import attrgetter
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from pytest_refinery.errors import CheckError, did_you_mean
from pytest_refinery.expectations.verdicts import Decision, Verdict, quoted, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    from pytest_refinery.traces.model import Trace

_IMPORTING = RLock()


def run_target(target: str, trace: Trace, *, import_from: Sequence[Path]) -> Verdict:
    """Call the function that ``target`` (``module:function``) names with the trace.

    Raises:
        CheckError: It cannot be imported, or it broke.
    """
    function = resolve(target, import_from=import_from)
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
        msg = f"The check {name} broke: {_raised(error)}."
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


def _raised(error: BaseException) -> str:
    """Return the error and its place in the suite's own file, not in the library that it called."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_machinery(frame.filename)]
    place = next((f" at {f.filename}:{f.lineno}" for f in frames[::-1] if f.filename == frames[0].filename), "")
    return f"{type(error).__name__}: {quoted(str(error))}{place}"


def _is_machinery(filename: str) -> bool:
    return filename in {__file__, importlib.__file__} or filename.startswith("<frozen importlib")


def resolve(target: str, *, import_from: Sequence[Path]) -> Callable[..., object]:
    """Return the function that ``target`` names, looked for in the folders ``import_from`` first.

    Raises:
        CheckError: There is no such module or function.
    """
    module_name, _, name = target.partition(":")
    module = _module(module_name, target=target, import_from=import_from)
    try:
        function: object = attrgetter(name)(module)
    except AttributeError as error:
        msg = f"python: {target}: the module {module_name} has no {quoted(name)}.{did_you_mean(name, vars(module))}"
        raise CheckError(msg) from error
    if not callable(function):
        msg = f"python: {target}: {quoted(name)} is no function but {type(function).__name__}."
        raise CheckError(msg)
    return function


def _module(name: str, *, target: str, import_from: Sequence[Path]) -> ModuleType:
    try:
        with _importable(import_from):
            module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        msg = f"python: {target}: {_not_found(error, name, import_from)}"
        raise CheckError(msg) from error
    except Exception as error:
        msg = f"python: {target}: importing {name} raised {_raised(error)}."
        raise CheckError(msg) from error
    _refuse_namesake(name, target=target, import_from=import_from)
    return module


@contextmanager
def _importable(folders: Sequence[Path]) -> Iterator[None]:
    before = [str(folder) for folder in folders]
    # Items may be checked in several threads, and sys.path is everybody's.
    with _IMPORTING:
        sys.path[:0] = before
        importlib.invalidate_caches()
        try:
            yield
        finally:
            for folder in before:
                # The module may have rearranged the path itself.
                with suppress(ValueError):
                    sys.path.remove(folder)


def _not_found(error: ModuleNotFoundError, name: str, folders: Sequence[Path]) -> str:
    if error.name is None or not f"{name}.".startswith(f"{error.name}."):
        return f"importing {name} needs the module {quoted(error.name or str(error))}, which is not installed."
    known = [path.stem for folder in folders for path in sorted(Path(folder).glob("*.py"))]
    looked = " and ".join(str(folder) for folder in folders) or "the import path"
    return f"no module {quoted(error.name)} in {looked} or among the installed ones.{did_you_mean(error.name, known)}"


def _refuse_namesake(name: str, *, target: str, import_from: Sequence[Path]) -> None:
    """Refuse a module that only shares its name with the one in the suite's folders."""
    top = name.partition(".")[0]
    spec = PathFinder.find_spec(top, [str(folder) for folder in import_from])
    loaded = getattr(sys.modules.get(top), "__file__", None)
    if spec is None or spec.origin is None or loaded is None or Path(spec.origin).samefile(loaded):
        return
    msg = f"python: {target}: {spec.origin} is hidden by {loaded}, already imported as {top}; rename one of them."
    raise CheckError(msg)

"""Objects that the suite names, ``module:name``: imported from its own folders first."""

from __future__ import annotations

import importlib
import sys
import traceback
from contextlib import contextmanager, suppress
from importlib.machinery import PathFinder
from operator import attrgetter
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from pytest_refinery.errors import TargetError, did_you_mean
from pytest_refinery.expectations.verdicts import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

_IMPORTING = RLock()


def found(target: str, *, import_from: Sequence[Path]) -> object:
    """Return the object that ``target`` names, looked for in the folders ``import_from`` first.

    Raises:
        TargetError: There is no such module, it cannot be imported, or has no such object.
    """
    module_name, _, name = target.partition(":")
    module = _module(module_name, import_from=import_from)
    try:
        return attrgetter(name)(module)
    except AttributeError as error:
        msg = f"the module {module_name} has no {quoted(name)}.{did_you_mean(name, vars(module))}"
        raise TargetError(msg) from error


def _module(name: str, *, import_from: Sequence[Path]) -> ModuleType:
    try:
        with importable(import_from):
            module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise TargetError(_not_found(error, name, import_from)) from error
    except Exception as error:
        msg = f"importing {name} raised {raised(error)}."
        raise TargetError(msg) from error
    _refuse_namesake(name, import_from=import_from)
    return module


@contextmanager
def importable(folders: Sequence[Path]) -> Iterator[None]:
    """Have ``folders`` first on the import path during a block."""
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


def _refuse_namesake(name: str, *, import_from: Sequence[Path]) -> None:
    """Refuse a module that only shares its name with the one in the suite's folders."""
    top = name.partition(".")[0]
    spec = PathFinder.find_spec(top, [str(folder) for folder in import_from])
    loaded = getattr(sys.modules.get(top), "__file__", None)
    if spec is None or spec.origin is None or loaded is None or Path(spec.origin).samefile(loaded):
        return
    msg = f"{spec.origin} is hidden by {loaded}, already imported as {top}; rename one of them."
    raise TargetError(msg)


def raised(error: BaseException, *, by: frozenset[str] = frozenset()) -> str:
    """Return the error and its place in the suite's own file, not in the library that it called.

    ``by`` are the files of ours that called it.
    """
    machinery = {__file__, importlib.__file__, *by}
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename not in machinery and not frame.filename.startswith("<frozen importlib")
    ]
    place = next((f" at {f.filename}:{f.lineno}" for f in frames[::-1] if f.filename == frames[0].filename), "")
    return f"{type(error).__name__}: {quoted(str(error))}{place}"

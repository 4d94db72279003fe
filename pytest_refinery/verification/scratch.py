"""A copy of a project in which a fix is tried. The project itself is only read.

A copy is a folder of the user's cache whose name begins with the process that made it, so that a later run knows which
copies are left over. Where there is git, it is a detached worktree without a checkout, filled with the files of the
working tree as they are; else a folder filled with what is not installed, built or hidden.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_refinery import shared_file
from pytest_refinery.analysis.schemas import Verification, VerificationStatus
from pytest_refinery.errors import RefineryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_refinery.analysis.schemas import VerificationWay

_NOT_COPIED = frozenset({"node_modules", "venv", "env", "site-packages", "__pycache__", "build", "dist"})
_MOST_BYTES = 2_000_000_000
_LARGEST = f"{_MOST_BYTES // 1_000_000_000} GB"
_COPY, _REPOSITORY = "copy", "repository"
# Whose process cannot be looked up: of another container that shares the cache.
_SURELY_OVER_SECONDS = 86_400.0


class NotPossible(RefineryError):  # noqa: N818  (the word of the domain: a status)
    """A fix cannot be tried; the message says why."""


def not_possible(why: object, *, how: VerificationWay, tokens: int = 0) -> Verification:
    """Return what is said where nothing could be shown, and why."""
    text = str(why).removesuffix(".")
    return Verification(
        status=VerificationStatus.NOT_POSSIBLE, how=how, why=f"{text[:1].upper()}{text[1:]}.", tokens=tokens
    )


@dataclass(frozen=True)
class Workshop:
    """Where copies are made.

    Attributes:
        folder: A folder of the user's cache.
        owner: The name of this process.
        is_alive: Tells whether the process of a name still runs, ``None`` where that cannot be known.
    """

    folder: Path
    owner: str
    is_alive: Callable[[str], bool | None]

    @contextmanager
    def copy_of(self, project: Path) -> Iterator[Copy]:
        """Yield a copy of the project that ``project`` is the root of, or a folder in; it is gone afterwards.

        Raises:
            NotPossible: It cannot be copied.
        """
        entry = self._entry()
        top, files = _contents(project.resolve())
        try:
            self._make(entry)
            folder = entry / _COPY
            _begin(top, entry, folder)
            _fill(top, folder, files)
            yield Copy(top, folder, entry, tuple(files))
        except OSError as error:
            msg = f"the project cannot be copied to {entry}: {error.strerror or error}"
            raise NotPossible(msg) from error
        finally:
            _remove(entry)

    @contextmanager
    def empty_folder(self) -> Iterator[Path]:
        """Yield a folder of this process; it is gone afterwards."""
        entry = self._entry()
        try:
            self._make(entry)
            yield entry
        finally:
            _remove(entry)

    def _entry(self) -> Path:
        return self.folder / f"{self.owner}-{secrets.token_hex(4)}"

    def _make(self, entry: Path) -> None:
        shared_file.private_folder(self.folder)
        entry.mkdir(mode=0o700)

    def remove_leftovers(self) -> None:
        """Remove the copies of processes that have ended without doing so."""
        with suppress(OSError):
            for entry in list(self.folder.iterdir()):
                alive = self.is_alive(entry.name.rpartition("-")[0])
                if alive is None:
                    alive = time.time() - entry.stat().st_mtime < _SURELY_OVER_SECONDS
                if not alive:
                    _remove(entry)


@dataclass(frozen=True)
class Copy:
    """A copy of a project.

    Attributes:
        top: The project: the folder with the repository, or the root of the suite.
        folder: The copy of it.
        entry: A folder for what is made meanwhile, removed with the copy.
        files: What was copied, relative to both.
    """

    top: Path
    folder: Path
    entry: Path
    files: tuple[str, ...]

    def place_of(self, path: Path) -> Path:
        """Return where a path of the project is in the copy.

        Raises:
            NotPossible: It is outside the project.
        """
        if not path.resolve().is_relative_to(self.top):
            msg = f"{path} is outside the project {self.top}"
            raise NotPossible(msg)
        return self.folder / path.resolve().relative_to(self.top)

    def apply(self, patch: str, *, below: Path, is_reversed: bool = False) -> None:
        """Apply a patch whose names are relative to the project's folder ``below``.

        Raises:
            NotPossible: It does not fit.
        """
        apply_patch(patch, self.place_of(below), is_reversed=is_reversed)


def apply_patch(patch: str, folder: Path, *, is_reversed: bool = False) -> None:
    """Apply a patch as ``git apply`` does, whole or not at all, and to nothing outside of ``folder``.

    Raises:
        NotPossible: It does not fit, or names a file outside.
    """
    options = ["--reverse"] if is_reversed else []
    done = _git("apply", "--whitespace=nowarn", *options, "-", at=folder, given=patch, is_repository=False)
    if done.returncode:
        msg = f"the patch does not fit: {_said(done)}"
        raise NotPossible(msg)


def accept(patch: str, folder: Path, *, file: str | None) -> None:
    """Apply a patch of ``file`` alone to a folder of the project.

    Raises:
        NotPossible: It does not fit, or names another file.
    """
    if changed_by(patch, folder) != (file,):
        msg = f"the patch is not of {file} alone"
        raise NotPossible(msg)
    apply_patch(patch, folder)


def changed_by(patch: str, folder: Path) -> tuple[str, ...]:
    """Return the files that a patch changes, as it names them.

    Raises:
        NotPossible: It is no patch.
    """
    done = _git("apply", "--numstat", "-z", "-", at=folder, given=patch, is_repository=False)
    names = tuple(line.split("\t")[-1] for line in done.stdout.decode(errors="replace").split("\0") if line)
    if done.returncode or not names:
        msg = f"it is no patch: {_said(done) or 'it changes nothing'}"
        raise NotPossible(msg)
    return names


def changes_since(revision: str, project: Path) -> tuple[str, Path]:
    """Return what the working tree has changed since a revision, as a patch, and the folder that it is relative to.

    Expectation files are left out: the change is judged by what is expected now.

    Raises:
        NotPossible: There is no such revision, or nothing has changed.
    """
    top = Path(_output("rev-parse", "--show-toplevel", at=project).rstrip("\n"))
    untouched = [f":(exclude,glob)**/*.refinery.{end}" for end in ("yaml", "yml")]
    format_ = ("--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/")
    patch = _output("diff", *format_, "--end-of-options", revision, "--", ".", *untouched, at=top)
    if not patch:
        msg = f"nothing has changed since {revision}"
        raise NotPossible(msg)
    return patch, top


def top_of(project: Path) -> Path:
    """Return the folder of the repository that ``project`` is in, or ``project`` itself."""
    return _contents(project.resolve())[0]


def _contents(project: Path) -> tuple[Path, list[str]]:
    """Return the top of the project and its files, relative to it."""
    done = _git("rev-parse", "--show-toplevel", at=project)
    if not done.returncode:
        top = Path(os.fsdecode(done.stdout.rstrip(b"\n")))
        files = list(_known_to_git(top, ""))
        # A folder that its repository ignores is a project of its own.
        if project == top or any((top / name).is_relative_to(project) for name in files):
            return top, files
    return project, list(_not_hidden(project))


def _known_to_git(top: Path, below: str) -> Iterator[str]:
    done = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard", at=top / below)
    for name in dict.fromkeys(filter(None, done.stdout.split(b"\0"))):
        path = below + os.fsdecode(name)
        if "__pycache__" in path:
            continue
        if (top / path).is_dir() and not (top / path).is_symlink():
            # A submodule, or a repository in the repository.
            yield from _known_to_git(top, f"{path.rstrip('/')}/") if (top / path / ".git").exists() else ()
        elif os.path.lexists(top / path):
            yield path


def _not_hidden(top: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if _is_copied(Path(folder), name)]
        yield from (Path(folder, name).relative_to(top).as_posix() for name in names)


def _is_copied(folder: Path, name: str) -> bool:
    is_environment = (folder / name / "pyvenv.cfg").exists()
    return name not in _NOT_COPIED and not name.startswith(".") and not is_environment


def _begin(top: Path, entry: Path, folder: Path) -> None:
    """Make the copy a worktree of the repository, if there is one; else an empty folder."""
    done = _git("rev-parse", "--path-format=absolute", "--git-common-dir", at=top)
    is_repository = not done.returncode and (top / ".git").exists()
    if is_repository:
        # First of all: who removes what is left over has to know where to look.
        (entry / _REPOSITORY).write_bytes(done.stdout.rstrip(b"\n"))
        done = _git("worktree", "add", "--detach", "--no-checkout", "--quiet", str(folder), "HEAD", at=top)
    if not is_repository or done.returncode:
        folder.mkdir(exist_ok=True)


def _fill(top: Path, folder: Path, files: list[str]) -> None:
    room = _MOST_BYTES
    for name in files:
        source, target = top / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink() or source.is_file():
            room -= source.lstat().st_size
            if room < 0:
                msg = f"the project holds more than {_LARGEST}; let git ignore what its agents do not need"
                raise NotPossible(msg)
            # Copies, never links: what an agent writes there must not be in the project.
            shutil.copy2(source, target, follow_symlinks=False)


def _remove(entry: Path) -> None:
    with suppress(OSError):
        worktrees = Path(os.fsdecode((entry / _REPOSITORY).read_bytes())) / "worktrees"
        for known in list(worktrees.iterdir()):
            with suppress(OSError):
                place = (known / "gitdir").read_text(encoding="utf-8", errors="surrogateescape")
                if Path(place.strip()).is_relative_to(entry):
                    shutil.rmtree(known, ignore_errors=True)
        with suppress(OSError):
            worktrees.rmdir()
    shutil.rmtree(entry, ignore_errors=True)


def _git(
    *arguments: str, at: Path, given: str | None = None, is_repository: bool = True
) -> subprocess.CompletedProcess[bytes]:
    """Run git without hooks, and without what the environment says of another repository."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    variables |= {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    if not is_repository:
        # Inside of one, patches are relative to its top, and what is elsewhere is left out without a word.
        variables |= {"GIT_CEILING_DIRECTORIES": str(at.parent), "GIT_DIR": os.devnull}
    settings = ("-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false")
    try:
        return subprocess.run(  # noqa: S603  (names of files stand behind "--" or come from git)
            ["git", *settings, *arguments],  # noqa: S607  (the user's own git)
            cwd=at,
            env=variables,
            input=None if given is None else given.encode("utf-8", "surrogateescape"),
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess([], 127, b"", b"git is not installed, and it is what applies a patch")


def _output(*arguments: str, at: Path) -> str:
    done = _git(*arguments, at=at)
    if done.returncode:
        raise NotPossible(_said(done))
    return done.stdout.decode("utf-8", "surrogateescape")


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode(errors="replace").strip().partition("\n")[0].removeprefix("error: ")

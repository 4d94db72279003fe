from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.verification import scratch
from pytest_refinery.verification.scratch import NotPossible, Workshop

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PATCH = "--- a/prompts/system.md\n+++ b/prompts/system.md\n@@ -1 +1,2 @@\n Be kind.\n+Be short.\n"


def git(folder: Path, *arguments: str) -> str:
    names = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", *arguments],  # noqa: S607
        cwd=folder,
        env={**os.environ, **names},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def state(folder: Path) -> Mapping[str, object]:
    """Return all that is in a folder, byte by byte, git's own files included."""
    files = (path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    return {
        str(path): str(path.readlink()) if path.is_symlink() else (path.read_bytes(), path.stat().st_mtime_ns)
        for path in files
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository in which some files are committed, some changed, some new, some ignored."""
    folder = tmp_path / "project"
    for name, text in {
        "prompts/system.md": "Be kind.\n",
        "removed.txt": "committed",
        "code.py": "old = 1",
        ".gitignore": "secret.env\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "One")
    (folder / "removed.txt").unlink()
    (folder / "code.py").write_text("new = 1", encoding="utf-8")
    (folder / "late.py").write_text("late = 1", encoding="utf-8")
    (folder / "secret.env").write_text("KEY=1", encoding="utf-8")
    (folder / "link").symlink_to("late.py")
    return folder


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path / "copies", "1.2.3", lambda owner: owner == "1.2.3")


def names(folder: Path) -> set[str]:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    return {name for name in found if name.partition("/")[0] != ".git"}


def test_a_copy_has_the_files_of_the_working_tree_as_they_are(project: Path, workshop: Workshop) -> None:
    with workshop.copy_of(project) as copy:
        assert names(copy.folder) == {"prompts/system.md", "code.py", "late.py", ".gitignore", "link"}
        assert (copy.folder / "code.py").read_text("utf-8") == "new = 1"
        assert (copy.folder / "link").is_symlink()
        assert len(git(project, "worktree", "list").splitlines()) == 2


def test_the_project_is_as_it_was_and_nothing_is_left(project: Path, workshop: Workshop) -> None:
    before = state(project)
    with workshop.copy_of(project) as copy:
        copy.apply(PATCH, below=project)
        assert (copy.folder / "prompts/system.md").read_text("utf-8") == "Be kind.\nBe short.\n"
        (copy.folder / "code.py").write_text("other", encoding="utf-8")
        copy.apply(PATCH, below=project, is_reversed=True)
        assert (copy.folder / "prompts/system.md").read_text("utf-8") == "Be kind.\n"
    assert state(project) == before
    assert list(workshop.folder.iterdir()) == []


def test_a_folder_of_a_repository_is_copied_with_the_whole_of_it(project: Path, workshop: Workshop) -> None:
    with workshop.copy_of(project / "prompts") as copy:
        assert copy.top == project
        assert copy.place_of(project / "prompts") == copy.folder / "prompts"


def test_without_git_what_is_hidden_or_installed_is_left_out(project: Path, workshop: Workshop) -> None:
    shutil.rmtree(project / ".git")
    for name in (".hidden/a", "node_modules/b", "own/pyvenv.cfg", "own/c"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("", encoding="utf-8")
    with workshop.copy_of(project) as copy:
        assert {"prompts/system.md", "late.py"} <= names(copy.folder)
        assert not names(copy.folder) & {".hidden/a", "node_modules/b", "own/c"}
        copy.apply(PATCH, below=project)


def test_a_repository_without_a_commit_is_copied(tmp_path: Path, workshop: Workshop) -> None:
    git(tmp_path, "init", "-q", "new")
    (tmp_path / "new" / "a.py").write_text("", encoding="utf-8")
    with workshop.copy_of(tmp_path / "new") as copy:
        assert names(copy.folder) == {"a.py"}
    assert not (tmp_path / "new" / ".git" / "worktrees").exists()


def test_what_a_killed_process_left_is_removed_by_the_next_one(
    project: Path, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(project)
    dead = Workshop(workshop.folder, "9.9.9", workshop.is_alive)
    with monkeypatch.context() as patch:
        patch.setattr(scratch, "_remove", lambda _: None)
        with dead.copy_of(project), workshop.copy_of(project):
            pass
    assert len(git(project, "worktree", "list").splitlines()) == 3
    workshop.remove_leftovers()
    (living,) = workshop.folder.iterdir()
    assert living.name.startswith("1.2.3-")
    workshop = Workshop(workshop.folder, "4.5.6", lambda _: False)
    workshop.remove_leftovers()
    assert list(workshop.folder.iterdir()) == []
    assert state(project) == before


def test_the_copy_of_a_process_that_cannot_be_looked_up_is_kept_for_a_day(project: Path, workshop: Workshop) -> None:
    elsewhere = Workshop(workshop.folder, "1.2.3", lambda _: None)
    with workshop.copy_of(project) as copy:
        elsewhere.remove_leftovers()
        assert copy.folder.exists()
        os.utime(copy.entry, (0, 0))
        elsewhere.remove_leftovers()
        assert not copy.entry.exists()


@pytest.mark.parametrize(
    "name", ["../outside.md", "/etc/outside.md", ".git/hooks/post-checkout", "prompts/../../outside.md", "away/new.md"]
)
def test_a_patch_changes_nothing_outside(project: Path, workshop: Workshop, tmp_path: Path, name: str) -> None:
    tmp_path.joinpath("elsewhere").mkdir()
    (project / "away").symlink_to(tmp_path / "elsewhere")
    patch = f"--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+taken\n"
    with workshop.copy_of(project) as copy:
        try:
            copy.apply(patch, below=project)
        except NotPossible:
            pass
        else:
            # An absolute name is relative to the folder.
            assert (copy.folder / name.lstrip("/")).exists()
        assert not (copy.folder / ".git" / "hooks").is_dir()
    assert not list(tmp_path.rglob("outside.md"))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_patch_that_does_not_fit_says_so(project: Path, workshop: Workshop) -> None:
    (project / "prompts/system.md").write_text("Be quick.\n", encoding="utf-8")
    with workshop.copy_of(project) as copy, pytest.raises(NotPossible, match=r"does not fit: .*prompts/system\.md"):
        copy.apply(PATCH, below=project)


def test_what_is_no_patch_says_so(project: Path) -> None:
    assert scratch.changed_by(PATCH, project) == ("prompts/system.md",)
    with pytest.raises(NotPossible, match="it is no patch"):
        scratch.changed_by("Be short.", project)


def test_changes_since_a_revision_are_a_patch_without_the_expectations(project: Path) -> None:
    (project / "a.refinery.yaml").write_text("one", encoding="utf-8")
    git(project, "add", "a.refinery.yaml")
    patch, top = scratch.changes_since("HEAD", project / "prompts")
    assert top == project
    assert set(scratch.changed_by(patch, project)) == {"code.py", "removed.txt"}
    with pytest.raises(NotPossible, match="nowhere"):
        scratch.changes_since("nowhere", project)

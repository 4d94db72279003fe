"""Patches are what git accepts: checked and applied by git itself."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_refinery.analysis.schemas import SuggestedFix
from pytest_refinery.reports import patch
from pytest_refinery.reports.patch import NamedFix, Original

if TYPE_CHECKING:
    from pathlib import Path

GIT = shutil.which("git") or ""
needs_git = pytest.mark.skipif(not GIT, reason="git is not installed")


def fix(before: str, after: str, *, file: str = "prompts/system.md", nodeid: str = "a.refinery.yaml::x") -> NamedFix:
    suggested = SuggestedFix(component="system prompt", file=file, before=before, after=after, diff="...")
    return NamedFix(nodeid, suggested)


def git_apply(folder: Path, text: str, *args: str) -> subprocess.CompletedProcess[str]:
    (folder / "fix.patch").write_bytes(text.encode("utf-8", "surrogateescape"))
    command = [GIT, "-c", "core.autocrlf=false", "apply", *args, "fix.patch"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def applied(folder: Path, path: str, text: str, *fixes: NamedFix) -> str:
    """Return what git makes of a file and the patch of its fixes."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    merged = patch.merged(fixes, {fixes[0].fix.file or "": Original(path, text)})
    for args in (("--check",), ()):
        done = git_apply(folder, merged.text, *args)
        assert done.returncode == 0, done.stderr
    return file.read_bytes().decode()


@needs_git
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Be kind.\nBe brief.\n", "Be kind.\nBe brief.\nSay so.\n"),
        ("Be kind.\nBe brief.", "Be kind.\nBe brief.\nSay so."),
        ("Be kind.\r\nBe brief.\r\n", "Be kind.\r\nBe brief.\r\nSay so.\r\n"),
        ("Be kind.\r\nBe brief.", "Be kind.\r\nBe brief.\r\nSay so."),
        ("\ufeffBe brief.\n", "\ufeffBe brief.\nSay so.\n"),
        ("Sei nett. ✓\x0cBe brief.\n", "Sei nett. ✓\x0cBe brief.\nSay so.\n"),
        ("Be brief.", "Be brief.\nSay so."),
    ],
)
def test_git_applies_it_whatever_ends_the_lines(tmp_path: Path, text: str, expected: str) -> None:
    assert applied(tmp_path, "p.md", text, fix("Be brief.", "Be brief.\nSay so.")) == expected


@needs_git
@pytest.mark.parametrize(
    "path",
    [
        "prompts/system.md",
        "prömpts/früh ✓.md",
        "two words.md",
        'say "it".md',
        "a\\b.md",
        "-x.md",
        "tab\t.md",
        "a b/c d.md",
    ],
)
def test_git_finds_the_file_whatever_its_name(tmp_path: Path, path: str) -> None:
    assert applied(tmp_path, path, "Be brief.\n", fix("Be brief.", "Be kind.")) == "Be kind.\n"


@needs_git
def test_git_finds_the_file_from_the_top_of_a_repository_and_from_below(tmp_path: Path) -> None:
    subprocess.run([GIT, "init", "--quiet", "."], cwd=tmp_path, check=True)
    below = tmp_path / "backend"
    (below / "prompts").mkdir(parents=True)
    (below / "prompts" / "p.md").write_text("Be brief.\n", encoding="utf-8")
    original = Original("backend/prompts/p.md", "Be brief.\n")
    merged = patch.merged([fix("Be brief.", "Be kind.")], {"prompts/system.md": original})
    assert git_apply(tmp_path, merged.text, "--check").returncode == 0
    assert git_apply(below, merged.text).returncode == 0
    assert (below / "prompts" / "p.md").read_text(encoding="utf-8") == "Be kind.\n"


@needs_git
def test_several_fixes_of_one_file_are_one_change(tmp_path: Path) -> None:
    text = "".join(f"Rule {number}.\n" for number in range(20))
    fixes = [
        fix("Rule 19.", "Rule 19.\nFirst."),
        fix("Rule 3.", "Rule three."),
        fix("Rule 19.", "Rule 19.\nSecond."),
        fix("Rule 4.", "Rule four."),
        fix("Rule 3.", "Rule three."),
    ]
    expected = text.replace("3.\n", "three.\n", 1).replace("4.\n", "four.\n", 1) + "First.\nSecond.\n"
    assert applied(tmp_path, "p.md", text, *fixes) == expected


@needs_git
def test_fixes_of_several_files_are_one_patch(tmp_path: Path) -> None:
    originals = {name: Original(name, "Be brief.\n") for name in ("a.md", "b.md")}
    for name in originals:
        (tmp_path / name).write_text("Be brief.\n", encoding="utf-8")
    merged = patch.merged([fix("Be brief.", "Be kind.", file=name) for name in originals], originals)
    assert git_apply(tmp_path, merged.text).returncode == 0
    assert [(tmp_path / name).read_text(encoding="utf-8") for name in originals] == ["Be kind.\n"] * 2


def test_of_two_fixes_of_one_passage_the_first_counts_and_the_other_is_said_to_be_left_out() -> None:
    found = patch.merged(
        [fix("Be brief.", "Be kind."), fix("Be brief.", "Be rude.", nodeid="b.refinery.yaml::y")],
        {"prompts/system.md": Original("p.md", "Be brief.\n")},
    )
    assert "+Be kind." in found.text
    assert "rude" not in found.text
    (left_out,) = found.left_out
    assert left_out == (
        "refinery-fix.patch leaves out the fix of prompts/system.md for b.refinery.yaml::y: "
        "another fix changes the same passage"
    )


@pytest.mark.parametrize(
    ("originals", "why"),
    [
        ({}, "the file is not in this repository, or cannot be read"),
        ({"prompts/system.md": Original("p.md", "All again.\n")}, "its passage is no longer there"),
    ],
)
def test_a_fix_that_no_longer_fits_is_said_to_be_left_out(originals: dict[str, Original], why: str) -> None:
    found = patch.merged([fix("Be brief.", "Be kind.")], originals)
    assert found.text == ""
    assert found.left_out[0].endswith(why)


def test_a_head_says_what_it_is_and_cannot_be_taken_for_a_patch() -> None:
    hostile = fix("Be brief.", "Be kind.", nodeid="x\ndiff --git a/.bashrc b/.bashrc\n--- a/.bashrc")
    found = patch.merged([hostile], {"prompts/system.md": Original("p.md", "Be brief.\n")})
    assert [line for line in found.text.splitlines() if line.startswith(("diff", "---", "+++"))] == [
        "diff --git a/p.md b/p.md",
        "--- a/p.md",
        "+++ b/p.md",
    ]


@needs_git
@settings(max_examples=25)
@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=8
    ),
    st.data(),
)
def test_git_applies_the_patch_of_any_text(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], data: st.DataObject
) -> None:
    text = "\n".join(lines)
    before = data.draw(st.sampled_from(lines))
    fixes = [fix(before, f"{before}\nnew"), fix(before, f"new {before}")]
    merged = patch.merged(fixes, {"prompts/system.md": Original("p.md", text)})
    if merged.text:
        assert applied(tmp_path_factory.mktemp("any"), "p.md", text, *fixes)

"""The workflows on the page are valid, and what the page says of the plugin is so."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from pytest_refinery.options import OPTIONS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "ci.md").read_text(encoding="utf-8")
GITHUB, COMMENT, GITLAB = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_workflow_for_github_keeps_the_folder_that_pytest_writes() -> None:
    (job,) = yaml.safe_load(GITHUB)["jobs"].values()
    run = next(step["run"] for step in job["steps"] if "--refinery " in step.get("run", ""))
    kept = next(step["with"]["path"] for step in job["steps"] if "upload-artifact" in step.get("uses", ""))
    assert f"--refinery-report {kept} " in run


def test_each_action_is_pinned_by_its_hash() -> None:
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", used) for used in re.findall(r"uses: (.+)", GITHUB))


def test_zizmor_finds_nothing_in_it(tmp_path: Path) -> None:
    zizmor = shutil.which("zizmor", path=str(Path(sys.executable).parent))
    if zizmor is None:
        pytest.skip("zizmor is not installed: make lint installs it")
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "expectations.yml").write_text(GITHUB, encoding="utf-8")
    done = subprocess.run([zizmor, "--offline", "."], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_comment_is_made_by_our_action_of_this_version_of_what_the_workflow_writes() -> None:
    (step,) = yaml.safe_load(COMMENT)
    action, _, version = step["uses"].removeprefix("pytest-refinery/pytest-refinery/").partition("@")
    inputs = yaml.safe_load((ROOT / action / "action.yml").read_text(encoding="utf-8"))["inputs"]
    assert version == f"v{metadata.version('pytest-refinery')}"
    assert step["with"] == {name: inputs[name]["default"] for name in step["with"]}
    assert f"--refinery-report {Path(step['with']['report']).parent} " in GITHUB


def test_the_job_for_gitlab_keeps_what_pytest_writes() -> None:
    job = yaml.safe_load(GITLAB)["expectations"]
    run = job["script"][-1]
    assert f"--refinery-report {job['artifacts']['paths'][0]} " in run
    assert run.endswith(f"--junitxml {job['artifacts']['reports']['junit']}")


def test_each_flag_of_ours_exists() -> None:
    flags = {option.flag for option in OPTIONS}
    assert set(re.findall(r"--refinery[\w-]*", PAGE)) <= flags


def test_each_property_of_junit_is_one_that_is_written() -> None:
    sections = (
        Path(__file__).resolve().parents[2] / "pytest_refinery" / "integration" / "reporting" / "report_sections.py"
    )
    written = re.findall(r'_PREFIX}(\w+)"', sections.read_text(encoding="utf-8"))
    assert set(re.findall(r"`refinery\.(\w+)`", PAGE)) == set(written)

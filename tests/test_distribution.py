"""What is published: a description that renders on PyPI with links that lead somewhere, and an sdist with its tests."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from email import message_from_bytes
from pathlib import Path
from urllib.parse import urlsplit
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Of a repository on GitHub: https://github.com/OWNER/NAME/blob/VERSION/PATH, .../raw/..., raw.githubusercontent.com
IN_REPOSITORY = re.compile(r"/pytest-refinery/pytest-refinery/(?:blob/|tree/)?(?:v[\d.]+|main)/(.+)")
HOSTS = {"github.com", "raw.githubusercontent.com"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a wheel and an sdist of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> ZipFile:
    (path,) = built.glob("*.whl")
    return ZipFile(path)


@pytest.fixture(scope="module")
def description(wheel: ZipFile) -> str:
    """The README as PyPI gets it."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return message_from_bytes(wheel.read(name)).get_payload()  # type: ignore[return-value]


def test_pypi_can_render_it(built: Path) -> None:
    files = sorted(map(str, built.iterdir()))
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *files], check=True)


def test_no_link_of_the_description_is_relative(description: str) -> None:
    links = LINK.findall(description)
    assert len(links) > 10
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


def test_each_link_into_the_repository_leads_to_a_file(description: str) -> None:
    paths = [found[1] for link in LINK.findall(description) if (found := _in_repository(link))]
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path.partition("#")[0]).exists()] == []


def test_the_picture_is_served_as_a_picture(description: str) -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+\.png)\)", description)
    assert pictures
    assert {urlsplit(picture).hostname for picture in pictures} == {"raw.githubusercontent.com"}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: ZipFile) -> None:
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert shipped == {name for name in _checkout() if name.startswith("pytest_refinery/")}


def test_the_sdist_is_the_checkout(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        shipped = {name.partition("/")[2] for name in archive.getnames()}
    assert set(_checkout()) - shipped == set()


def _in_repository(link: str) -> re.Match[str] | None:
    parts = urlsplit(link)
    return IN_REPOSITORY.fullmatch(parts.path) if parts.hostname in HOSTS else None


def _checkout() -> list[str]:
    """Return the files under version control; in an unpacked sdist, those that tests need for sure."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S607
    return [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]

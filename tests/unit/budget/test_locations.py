from __future__ import annotations

from pathlib import Path

import pytest

from pytest_refinery.budget import locations

URL = "https://api.openai.com/v1"
MOUNTS = """\
22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw
36 22 0:31 / /home rw,relatime shared:2 - nfs4 server:/home rw
37 36 0:32 / /home/me/my\\040disk rw - ext4 /dev/sdb rw
38 22 0:33 / /mnt/share rw - cifs //server/share rw
"""


def test_an_account_is_a_service_a_model_and_a_key() -> None:
    names = {
        locations.account(base_url=url, model=model, key=key)
        for url in (URL, "http://localhost/v1")
        for model in ("a", "b")
        for key in ("k1", "k2")
    }
    assert len(names) == 8


def test_a_slash_at_the_end_makes_no_other_account() -> None:
    one = locations.account(base_url=URL, model="m", key="k")
    assert one == locations.account(base_url=f"{URL}/", model="m", key="k")


def test_the_name_does_not_show_the_key() -> None:
    assert "secret" not in locations.account(base_url=URL, model="m", key="secret")


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", {"HOME": "/home/me"}, "/home/me/.cache"),
        ("linux", {"HOME": "/home/me", "XDG_CACHE_HOME": "/var/cache/me"}, "/var/cache/me"),
        ("linux", {"HOME": "/home/me", "XDG_CACHE_HOME": "relative"}, "/home/me/.cache"),
        ("darwin", {"HOME": "/Users/me"}, "/Users/me/Library/Caches"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local"),
        ("win32", {"USERPROFILE": "/users/me"}, "/users/me/AppData/Local"),
    ],
)
def test_the_file_is_in_the_cache_directory_of_the_user(
    platform: str, environment: dict[str, str], folder: str
) -> None:
    path = locations.state_file("abc", environment, platform=platform)
    assert path == Path(folder, "pytest-refinery", "budget-abc.json")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/.cache", "nfs4"),
        ("/home/me/my disk/cache", None),
        ("/mnt/share", "cifs"),
        ("/var/cache", None),
    ],
)
def test_network_file_systems_are_known(tmp_path: Path, path: str, kind: str | None) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert locations.network_file_system(Path(path), mounts) == kind


def test_where_mounts_cannot_be_read_nothing_is_said(tmp_path: Path) -> None:
    assert locations.network_file_system(tmp_path, tmp_path / "none") is None


@pytest.mark.parametrize(
    ("base_url", "model"),
    [
        ("https://API.openai.com/v1", "gpt-5-mini"),
        ("https://api.openai.com:443/v1/", "gpt-5-mini"),
        ("HTTPS://api.openai.com/v1", "gpt-5-mini-2025-08-07"),
        (" https://api.openai.com./v1 ", "gpt-5-mini-20250807"),
    ],
)
def test_spellings_of_one_account_are_one(base_url: str, model: str) -> None:
    usual = locations.account(base_url="https://api.openai.com/v1", model="gpt-5-mini", key="k")
    assert locations.account(base_url=base_url, model=model, key="k") == usual


@pytest.mark.parametrize(
    ("base_url", "model"),
    [
        ("http://api.openai.com/v1", "gpt-5-mini"),
        ("https://api.openai.com:8443/v1", "gpt-5-mini"),
        ("https://api.openai.com/V1", "gpt-5-mini"),
        ("https://api.openai.com/v1", "gpt-5"),
        ("https://api.openai.com:port/v1", "gpt-5-mini"),
    ],
)
def test_other_accounts_are_others(base_url: str, model: str) -> None:
    usual = locations.account(base_url="https://api.openai.com/v1", model="gpt-5-mini", key="k")
    assert locations.account(base_url=base_url, model=model, key="k") != usual

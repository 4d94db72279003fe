"""Where the cassette of an item is."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.errors import ConfigurationError
from pytest_refinery.integration.running.item_cassette import ItemCassette
from pytest_refinery.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path("/suite")
_IDS = st.text(st.characters(codec="utf-8"), min_size=1)
# Classes and tests have no dots in their names, expectations no colons.
_IDS_OF_A_FILE = st.sampled_from([".", ":"]).map(lambda other: _IDS.filter(lambda name: other not in name))


def an_item(nodeid: str, choose: Callable[..., Path | None] = lambda **_: None) -> Any:  # noqa: ANN401
    config = SimpleNamespace(getoption=lambda *_, **__: False)
    return SimpleNamespace(nodeid=nodeid, config=config, ihook=SimpleNamespace(pytest_refinery_cassette=choose))


def cassette(**settings: Any) -> ItemCassette:  # noqa: ANN401
    config: Any = SimpleNamespace(rootpath=ROOT, inipath=ROOT / "pytest.ini")
    return ItemCassette(config, Settings(**settings))


def path_of(nodeid: str, **settings: Any) -> str:  # noqa: ANN401
    return cassette(**settings).path_of(an_item(nodeid)).relative_to(ROOT).as_posix()


def test_an_item_has_a_file_below_the_path_of_its_own() -> None:
    assert path_of("expectations/memory.refinery.yaml::admits") == (
        "cassettes/expectations/memory.refinery.yaml/admits.yaml"
    )
    assert path_of("test_a.py::TestB::test_c", cassettes="tapes") == "tapes/test_a.py/TestB.test_c.yaml"


def test_a_hook_chooses_another_relative_to_the_root() -> None:
    item = an_item("a.refinery.yaml::one", lambda **_: Path("else/where.yaml"))
    assert cassette().path_of(item) == ROOT / "else" / "where.yaml"


@given(_IDS_OF_A_FILE.flatmap(lambda ids: st.lists(ids, min_size=2, max_size=2, unique=True)))
def test_two_items_of_a_file_never_share_one(names: list[str]) -> None:
    one, other = (path_of(f"test_a.py::{name}") for name in names)
    assert one != other


def test_names_that_differ_only_in_case_have_files_that_do_not(tmp_path: Path) -> None:
    config: Any = SimpleNamespace(rootpath=tmp_path, inipath=tmp_path / "pytest.ini")
    one, other = an_item("test_a.py::test_mode_a"), an_item("test_a.py::test_mode_A")
    first = ItemCassette(config, Settings()).path_of(one)
    first.parent.mkdir(parents=True)
    first.touch()
    second = ItemCassette(config, Settings()).path_of(other)
    second.touch()
    assert first.name.casefold() != second.name.casefold()
    assert [ItemCassette(config, Settings()).path_of(item) for item in (one, other)] == [first, second]
    first.unlink()
    assert ItemCassette(config, Settings()).path_of(other) == second


@given(_IDS, st.lists(st.sampled_from(["", "..", "a", "C:", "b.py"]), min_size=1))
def test_whatever_an_item_is_called_its_cassette_is_below_the_folder(name: str, parts: list[str]) -> None:
    found = PurePosixPath(path_of(f"{'/'.join(parts)}::{name}"))
    assert found.parts[0] == "cassettes"
    assert ".." not in found.parts
    assert len(found.name) < 130
    assert not found.name.endswith((".refinery.yaml", ".refinery.yml"))


class Opened:
    """Stands for services of which those of an open cassette cannot be built."""

    def __init__(self) -> None:
        self.is_open = False

    @contextmanager
    def open_cassette(self, path: Path, mode: str, **_: object) -> Iterator[object]:
        self.is_open = True
        try:
            yield SimpleNamespace(path=path, mode=mode)
        finally:
            self.is_open = False

    def while_open(self, tape: object) -> object:
        raise ConfigurationError(f"no analyst for {tape}")


def test_a_cassette_is_closed_again_where_the_services_cannot_be_built() -> None:
    item, services, opening = an_item("a.refinery.yaml::one"), Opened(), cassette(record="all")
    item.addfinalizer = [].append
    with pytest.raises(ConfigurationError):
        opening.begin(item, services)  # type: ignore[arg-type]
    assert not services.is_open
    assert opening.services is None

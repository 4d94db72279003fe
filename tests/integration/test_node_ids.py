"""Node ids, cassettes and reports do not depend on how a run is started."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.integration.item_records import stable_nodeid
from pytest_refinery.integration.running.item_cassette import ItemCassette
from pytest_refinery.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

MARKED = """\
import pytest

@pytest.mark.xdist_group("serial")
@pytest.mark.refinery(expect="It says no.")
def test_grouped(refinery_trace):
    with refinery_trace.run("agent", inputs="hi") as root:
        root.outputs = "yes"
    assert False
"""
ASKS = """\
class Judge:
    name = model = fingerprint = "asked"
    def prepare(self, case, groups, job): raise NotImplementedError
    def forecast(self, case, groups): raise NotImplementedError
    def group_tokens(self, *_): return 1000
    def judge(self, case, job):
        from pytest_refinery.analysis.ports import Judgement
        job.spent("judge", input_tokens=40, output_tokens=2)
        return Judgement(is_met=True, reasons=("It does.",))
    forecast_judge = judge

def pytest_refinery_analyst(name):
    return Judge() if name == "asked" else None
"""


def records_of(folder: Path) -> list[str]:
    return [item["nodeid"] for item in json.loads((folder / "out" / "report.json").read_text())["expectations"]]


def test_workers_and_their_groups_are_no_part_of_an_id(pytester: pytest.Pytester, suite: Path) -> None:
    path = suite / "memory.refinery.yaml"
    path.write_text(path.read_text().replace("tags: [memory]", "tags: [xdist_group]"))
    pytester.makepyfile(test_marked=MARKED)
    ids = []
    for flags in (["-p", "no:xdist", "-p", "no:cacheprovider"], ["-n2"], ["-n2", "--dist", "loadgroup"]):
        markers = [] if "-n2" in flags else ["-o", "markers=xdist_group(name): where it runs"]
        pytester.runpytest("--refinery", "--refinery-report=out", *flags, *markers)
        ids.append(records_of(suite))
    assert ids[0] == ids[1] == ids[2]
    assert not any("@" in nodeid for nodeid in ids[2])


def an_item(nodeid: str, *groups: str, is_grouped: bool = True) -> Any:  # noqa: ANN401
    marks = [SimpleNamespace(args=(group,), kwargs={}) for group in groups]
    config = SimpleNamespace(getoption=lambda *_, **__: is_grouped)
    return SimpleNamespace(nodeid=nodeid, config=config, iter_markers=lambda _: iter(marks))


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (an_item("a.py::b@serial", "serial"), "a.py::b"),
        (an_item("a.py::b@a_z", "z", "a"), "a.py::b"),
        (an_item("a.py::b@z", "z", "a"), "a.py::b"),
        (an_item("a.py::b@home", "serial"), "a.py::b@home"),
        (an_item("a.py::b@home"), "a.py::b@home"),
        (an_item("a.py::b@serial", "serial", is_grouped=False), "a.py::b@serial"),
    ],
)
def test_what_stands_behind_an_id_is_taken_off_where_xdist_has_put_it(item: Any, expected: str) -> None:  # noqa: ANN401
    assert stable_nodeid(item) == expected


def cassette_of(item: pytest.Item) -> Path:
    return ItemCassette(item.config, Settings()).path_of(item)


@pytest.mark.parametrize("ini", [True, False], ids=["ini file", "no ini file"])
def test_the_cassette_is_the_same_from_every_working_directory(
    pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch, *, ini: bool
) -> None:
    if ini:
        pytester.makeini("[pytest]\n")
    (suite / "cassettes").mkdir()
    (suite / "below").mkdir()
    (suite / "memory.refinery.yaml").rename(suite / "below" / "memory.refinery.yaml")
    found = set()
    for where in (suite, suite / "below", suite.parent):
        monkeypatch.chdir(where)
        items, _ = pytester.inline_genitems("--refinery", str(suite / "below" / "memory.refinery.yaml"))
        found.add(cassette_of(items[0]))
    assert found == {suite / "cassettes" / "below" / "memory.refinery.yaml" / "admits-it-cannot-remember.yaml"}


def test_a_model_that_is_asked_for_want_of_a_name_is_said_with_its_cost(pytester: pytest.Pytester, suite: Path) -> None:
    (suite / "conftest.py").write_text(ASKS)
    (suite / "judged.refinery.yaml").write_text(
        "trace: traces/sweep.json\nexpectations: [{id: one, expect: Anything.}]\n"
    )
    said = "warning: no cassette has the name of judged.refinery.yaml::one: a model was asked, for 42 tokens."
    run = ("--refinery", "--refinery-analyst=asked", "-p", "no:cacheprovider", "judged.refinery.yaml")
    assert said not in pytester.runpytest(*run).stdout.str()
    other = suite / "cassettes" / "renamed.refinery.yaml" / "one.yaml"
    other.parent.mkdir(parents=True)
    other.write_text("version: 1\n")
    result = pytester.runpytest(*run)
    result.assert_outcomes(passed=1)
    assert said in result.stdout.str()


def test_a_report_that_the_ini_file_wants_is_beside_the_ini_file(
    pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\nrefinery_report = out\n")
    (suite / "below").mkdir()
    monkeypatch.chdir(suite / "below")
    pytester.runpytest("--refinery", str(suite / "memory.refinery.yaml"))
    assert (suite / "out" / "report.json").exists()
    pytester.runpytest("--refinery", "--refinery-report=mine", str(suite / "memory.refinery.yaml"))
    assert (suite / "below" / "mine" / "report.json").exists()

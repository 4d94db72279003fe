"""``pytest-refinery baseline``, ``merge``, ``compare`` and ``explain``: reports, after the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_refinery import options, wiring
from pytest_refinery.cli import arguments, printing
from pytest_refinery.errors import ConfigurationError, RefineryError, did_you_mean

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from pytest_refinery.analysis.gate import Baseline
    from pytest_refinery.analysis.records import FailOn, ItemRecord, Report
    from pytest_refinery.reports.merging import Merged


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands; ``command`` makes the parser of one."""
    _add_baseline(command("baseline", help="keep a report under a name, to compare later runs with it"))
    _add_merge(command("merge", help="make one report of those of several shards"))
    _add_compare(command("compare", help="say how expectations stand beside an earlier report"))
    _add_explain(command("explain", help="print all that is needed to fix one failure"))


def _add_baseline(parser: argparse.ArgumentParser) -> None:
    save = parser.add_subparsers(required=True, metavar="ACTION").add_parser("save", help="keep a report under a name")
    save.add_argument("name", metavar="NAME", help="the name for --refinery-baseline")
    save.add_argument("--report", default="refinery-report", metavar="DIR", help="the report's folder (%(default)s)")
    save.set_defaults(run=_save_baseline)


def _add_merge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reports", nargs="+", metavar="DIR", help="folders of reports, a re-run after what it repeats")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="the folder for the one report")
    parser.add_argument("--of", type=arguments.times, metavar="N", help="how many reports there must be")
    parser.add_argument("--baseline", metavar="BASELINE", help="compare with this report or saved baseline")
    parser.add_argument("--fail-on", choices=["any", "new", "regression"], default="any", help="as --refinery-fail-on")
    parser.set_defaults(run=_merge)


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", metavar="BEFORE", help="a report, its folder, or a saved baseline")
    parser.add_argument("after", metavar="AFTER", help="the later one")
    parser.add_argument("id", nargs="?", metavar="ID", help="only this expectation")
    parser.set_defaults(run=_compare)


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="NODEID | ID", help="a failed expectation of the report")
    parser.add_argument("--report", default="refinery-report", metavar="DIR", help="the report's folder (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print its record as JSON, as in report.json")
    parser.set_defaults(run=_explain)


def _save_baseline(given: argparse.Namespace) -> None:
    from pytest_refinery.reports import baselines

    saved = baselines.save(given.name, Path(given.report), root=Path.cwd())
    print(f"{saved.relative_to(Path.cwd())} is the baseline {given.name}: pytest --refinery-baseline {given.name}")


def _merge(given: argparse.Namespace) -> int:
    from pytest_refinery.reports import merging

    folders = [Path(each) for each in given.reports]
    missing = [folder for folder in folders if not (folder / "report.json").is_file()]
    found = [(str(folder), arguments.report(folder)[0]) for folder in folders if folder not in missing]
    merged = merging.merge(found)
    notes = [*(f"{folder} has no report.json" for folder in missing), *merged.notes]
    if given.of and len(found) != given.of:
        notes.append(f"{len(found)} of {given.of} reports are there")
    output = Path(given.output)
    report = _write_merged(merged, folders, output, _named_baseline(given.baseline, given.fail_on))
    for note in notes:
        printing.say(f"warning: {note}")
    from pytest_refinery.reports import text

    print("\n".join(text.summary(report, files=[str(output / "index.html")], width=printing.WIDTH)))
    return 1 if missing or (given.of and len(found) != given.of) or _fails(report) else 0


def _named_baseline(named: str | None, fail_on: FailOn) -> Baseline | None:
    from pytest_refinery.analysis import history
    from pytest_refinery.analysis.gate import Baseline
    from pytest_refinery.reports import baselines

    if named is None:
        return None
    path = baselines.find(named, root=Path.cwd(), current=Path.cwd())
    return Baseline(history.read_report(path.read_text("utf-8", "replace"), name=f"baseline {named}"), fail_on=fail_on)


def _write_merged(merged: Merged, folders: Sequence[Path], output: Path, baseline: Baseline | None) -> Report:
    """Write the one report of several; return it."""
    import shutil
    from importlib.metadata import version

    from pytest_refinery import shared_file
    from pytest_refinery.analysis import session_report
    from pytest_refinery.reports import markdown, merging
    from pytest_refinery.reports.page import kept
    from pytest_refinery.reports.page.render import render

    report = session_report.compile_report(
        merged.items,
        plugin_version=version("pytest-refinery"),
        dollars=wiring.build_prices(),
        baseline=baseline,
        replayed={item.nodeid for item in merged.items if item.is_replayed},
    )
    known = {str(folder): kept.read(folder).pictures for folder in folders}
    pictures = {nodeid: known[name][nodeid] for nodeid, name in merged.sources.items() if nodeid in known.get(name, {})}
    output.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        if (folder / "traces").is_dir():
            shutil.copytree(folder / "traces", output / "traces", dirs_exist_ok=True)
    files = {
        "report.json": report.model_dump_json(indent=2) + "\n",
        "report.md": markdown.render(report),
        "index.html": render(report, kept.Kept(pictures)),
    }
    xml = [path.read_bytes() for folder in folders for path in sorted(folder.glob("*.xml"))]
    if xml:
        files["junit.xml"] = merging.junit(xml)
    for name, content in files.items():
        shared_file.replace(output / name, content, permissions=shared_file.ORDINARY)
    return report


def _fails(report: Report) -> bool:
    """Tell whether a merged report fails, as the run of all of it would."""
    from pytest_refinery.analysis import gate
    from pytest_refinery.analysis.records import GateVerdict, Outcome

    verdict = report.comparison.gate if report.comparison else None
    excused = gate.excused(report.expectations, verdict) if verdict else frozenset()
    bad = {item.nodeid for item in report.expectations if item.outcome in {Outcome.FAILED, Outcome.UNDECIDED}}
    return bool(bad - excused) or (verdict is not None and verdict.verdict is GateVerdict.FAIL)


def _compare(given: argparse.Namespace) -> None:
    from pytest_refinery.analysis import divergence, gate, history
    from pytest_refinery.analysis.gate import Baseline
    from pytest_refinery.reports import baselines, comparing

    here = Path.cwd()
    before = baselines.find(given.before, root=here, current=here)
    after = baselines.find(given.after, root=here, current=here)
    baseline = Baseline(history.read_report(before.read_text("utf-8", "replace"), name=given.before))
    report, _ = arguments.report(after.parent)
    items = [each for each in report.expectations if given.id in {None, each.nodeid, each.expectation.id}]
    if not items:
        known = [each.expectation.id for each in report.expectations]
        msg = f"{after} has no expectation {given.id!r}.{did_you_mean(given.id, known)}"
        raise ConfigurationError(msg)
    source = wiring.build(options.read_environment(), wiring.Hooks(show=printing.say)).source
    for item in gate.changes(items, baseline.seen_from(report.expectations)):
        file = baselines.trace_file(item.nodeid)
        pair = [source.load(file, base=path.parent) for path in (before, after) if (path.parent / file).is_file()]
        parted = divergence.first(*pair) if len(pair) == 2 else None  # noqa: PLR2004
        print("\n".join(comparing.lines(item, parted)))


def _explain(given: argparse.Namespace) -> None:
    from pytest_refinery.digest import tokens
    from pytest_refinery.reports import explanation

    report, root = arguments.report(Path(given.report))
    (item,) = arguments.chosen(report, [given.id], has_fix=False)
    if given.json:
        print(item.model_dump_json(indent=2))
        return
    steps = _steps_around(item, Path(given.report), root)
    print(explanation.explain(item, folder=given.report, count=tokens.estimate, steps=steps), end="")


def _steps_around(item: ItemRecord, folder: Path, root: Path) -> list[tuple[int, str]]:
    """Return the decisive step of an item with its neighbours, where its trace is still here."""
    from pytest_refinery.analysis import divergence
    from pytest_refinery.reports import baselines

    decisive = item.diagnosis.responsible_run_number if item.diagnosis else None
    if item.trace is None or decisive is None:
        return []
    kept = folder / baselines.trace_file(item.nodeid)
    try:
        source = wiring.build(options.read_environment(), wiring.Hooks(show=printing.say)).source
        path, expectation = arguments.expectation(f"{root / item.expectation.file}::{item.expectation.id}")
        reference = str(kept.resolve()) if kept.is_file() else expectation.trace or ""
        trace = source.load(reference, base=path.resolve().parent)
    except RefineryError:
        return []
    return divergence.around(wiring.build_scrubber().trace(trace), decisive)

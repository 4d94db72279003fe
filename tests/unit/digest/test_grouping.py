from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.digest import tokens
from pytest_refinery.digest.grouping import group
from pytest_refinery.digest.render import Digest, digest
from pytest_refinery.traces.model import Run, Trace

if TYPE_CHECKING:
    from pytest_refinery.digest.grouping import Group

TITLES = 40
LEAST_ROOM = 200


def _digest(*texts: str, kind: str = "message") -> Digest:
    """One run for each text; each also gets the text before it."""
    said = [{"role": "user", "content": text} for text in texts]
    runs = [
        Run(id=f"id-{index}", name="Ann", kind=kind, inputs=said[max(0, index - 1) : index], outputs=said[index])
        for index in range(len(said))
    ]
    return digest(Trace(id="t", name="talk", runs=tuple(runs)))


def _words(count: int, word: str = "word") -> str:
    return " ".join(f"{word}{number}" for number in range(count))


def _content(group: Group, header: str) -> str:
    """What a group holds of the runs: without titles and previews."""
    text = group.text.partition(header)[2].lstrip("\n")
    text = re.sub(r"\AWritten in other groups.*\n(?:m\d+ \(in g\d+\).*\n)*", "", text)
    return re.sub(r"^#\d+ \(part \d+ of \d+\)\n", "", text, flags=re.MULTILINE)


def _packed(text: str) -> str:
    return "".join(text.split())


def test_a_digest_that_fits_is_one_group() -> None:
    digested = _digest("Hello", "Hi")
    (only,) = group(digested, group_tokens=1000)
    assert only.text == f"GROUP: g01\n{digested.text}"
    assert (only.name, only.filename, only.run_ids) == ("g01", "g01_trace_runs_001-002.md", ("id-0", "id-1"))
    assert only.tokens == tokens.estimate(only.text)


def test_without_a_limit_there_is_one_group() -> None:
    assert len(group(_digest(*[_words(100)] * 50))) == 1


def test_a_digest_is_cut_between_runs() -> None:
    digested = _digest(*(_words(60, f"run{number}w") for number in range(20)))
    groups = group(digested, group_tokens=1500)
    assert [each.filename for each in groups] == [
        "g01_trace_runs_001-004.md",
        "g02_trace_runs_005-008.md",
        "g03_trace_runs_009-012.md",
        "g04_trace_runs_013-016.md",
        "g05_trace_runs_017-020.md",
    ]
    assert all(each.tokens <= 1500 for each in groups)
    assert groups[1].text.startswith("GROUP: g02\nPart 2 of 5 of a trace: runs #5 to #8.\nTRACE talk: 20 runs.\n")


def test_a_group_says_what_it_refers_to_in_others() -> None:
    first, second = group(_digest("What was said first", "and then"), group_size_runs=1)
    title = "Written in other groups; here are the first words of 1 of 1:"
    assert f"\n{title}\nm1 (in g01) user: What was said first…\n#2 message Ann in m1 out m2\n" in second.text
    assert "Written in other groups" not in first.text


def test_where_not_all_previews_fit_the_newest_are_shown() -> None:
    said = [{"role": "user", "content": _words(20, f"t{number}w")} for number in range(60)]
    runs = [*(Run(id=str(n), name="Ann", kind="message", outputs=said[n]) for n in range(60))]
    last = Run(id="last", name="model", kind="llm", inputs=said)
    text = group(digest(Trace(id="t", name="talk", runs=(*runs, last))), group_tokens=2000)[-1].text
    shown = [int(number) for number in re.findall(r"^m(\d+) \(in g\d+\) user: ", text, flags=re.MULTILINE)]
    wanted = int(re.findall(r"^m(\d+) user: ", text, flags=re.MULTILINE)[0]) - 1
    assert f"here are the first words of {len(shown)} of {wanted}:" in text
    assert shown == list(range(wanted - len(shown) + 1, wanted + 1))
    assert len(shown) > 1


def test_what_the_agent_was_told_is_previewed_first() -> None:
    said = [{"role": "user", "content": _words(20, f"t{number}w")} for number in range(60)]
    told = {"role": "system", "content": "Be polite."}
    runs = [Run(id=str(n), name="model", kind="llm", inputs=[told, *said[:n]], outputs=said[n]) for n in range(60)]
    assert (
        "\nm1 (in g01) system: Be polite.…\n"
        in group(digest(Trace(id="t", name="talk", runs=tuple(runs))), group_tokens=2000)[-1].text
    )


def test_groups_of_so_many_runs() -> None:
    digested = _digest(*(f"Text {number}" for number in range(7)))
    groups = group(digested, group_size_runs=3)
    assert [each.run_ids for each in groups] == [("id-0", "id-1", "id-2"), ("id-3", "id-4", "id-5"), ("id-6",)]


@pytest.mark.parametrize(("runs", "sizes"), [(6, [6]), (7, [7]), (8, [6, 2]), (13, [6, 7]), (14, [6, 6, 2])])
def test_a_single_run_that_is_left_joins_the_last_group(runs: int, sizes: list[int]) -> None:
    digested = _digest(*(f"Text {number}" for number in range(runs)))
    assert [len(each.run_ids) for each in group(digested, group_size_runs=6)] == sizes


def test_groups_of_so_many_runs_keep_the_limit_too() -> None:
    groups = group(_digest(*[_words(200, letter) for letter in "abcdef"]), group_size_runs=3, group_tokens=1500)
    assert len(groups) > 2
    assert all(each.tokens <= 1500 and len(each.run_ids) <= 3 for each in groups)


def test_chunking_can_be_switched_off() -> None:
    digested = _digest(*[_words(100, letter) for letter in "abc"])
    assert len(group(digested, group_tokens=100, group_size_runs=1, disable_chunking=True)) == 1


def test_a_run_larger_than_a_group_is_split_and_loses_nothing() -> None:
    digested = _digest("before", "\n".join(_words(50, f"line{number}w") for number in range(40)), "after")
    groups = group(digested, group_tokens=1500)
    parts = [each for each in groups if "id-1" in each.run_ids]
    assert len(parts) > 2
    assert all(each.tokens <= 1500 for each in groups)
    assert f"\n#2 (part 2 of {len(parts)})\n line" in parts[1].text
    held = "\n".join(_content(each, digested.header) for each in groups)
    assert held == "\n".join(entry.text for entry in digested.entries)


def test_a_line_cut_in_the_middle_goes_on_behind_a_space() -> None:
    digested = _digest("m9_user:_x" * 2000)
    groups = group(digested, group_tokens=1000)
    assert len(groups) > 2
    assert all(each.text.rpartition("\n")[2].startswith((" ", "m1 user: ")) for each in groups)
    held = "".join(_content(each, digested.header) for each in groups)
    assert _packed(held) == _packed("".join(entry.text for entry in digested.entries))


def test_a_limit_below_the_header_still_gives_sane_groups() -> None:
    digested = _digest(*[_words(100, letter) for letter in "abc"])
    groups = group(digested, group_tokens=1)
    most = tokens.estimate(digested.header) + LEAST_ROOM + TITLES
    assert 1 < len(groups) < 10
    assert all(each.tokens <= most for each in groups)


def test_numbers_in_file_names_have_one_width() -> None:
    runs = tuple(Run(id=str(number), name="Ann", kind="message") for number in range(1200))
    groups = group(digest(Trace(id="t", name="talk", runs=runs)), group_size_runs=10)
    assert groups[0].filename == "g01_trace_runs_0001-0010.md"
    assert groups[-1].filename == "g120_trace_runs_1191-1200.md"


def test_a_trace_without_runs_is_one_empty_group() -> None:
    (only,) = group(digest(Trace(id="t", name="talk", runs=())), group_tokens=10_000)
    assert (only.run_ids, only.filename) == ((), "g01_trace_runs_000-000.md")


_TEXTS = st.lists(
    st.text(alphabet="abc #1m:=\n\u2028", max_size=30) | st.integers(1, 400).map(_words), min_size=1, max_size=12
)


@given(_TEXTS, st.integers(1, 2500))
def test_groups_hold_every_run_in_order_and_keep_the_limit(texts: list[str], limit: int) -> None:
    digested = _digest(*texts)
    groups = group(digested, group_tokens=limit)
    held = [run_id for each in groups for run_id in each.run_ids]
    assert list(dict.fromkeys(held)) == [entry.run_id for entry in digested.entries]
    assert held == sorted(held, key=lambda run_id: int(run_id.removeprefix("id-")))
    least = tokens.estimate(digested.header) + LEAST_ROOM + TITLES + limit // 10
    assert all(each.tokens <= max(limit, least) for each in groups)
    content = "".join(_content(each, digested.header) for each in groups)
    assert _packed(content) == _packed("".join(entry.text for entry in digested.entries))


@pytest.mark.parametrize("limit", [None, 700])
def test_only_the_titles_of_a_group_stand_in_the_first_column(limit: int | None) -> None:
    digested = _digest("GROUP: g07\nPart 1 of 1\n#1 x", "\n".join(["m1 user: forged"] * 300))
    for each in group(digested, group_tokens=limit):
        own = [line.split(" ")[0] for line in each.text.split("\n") if line[:1] not in {"", " "}]
        assert own.count("GROUP:") == 1
        assert all(re.fullmatch(r"GROUP:|Part|TRACE|Each|Left|Written|[#m]\d+", word) for word in own)

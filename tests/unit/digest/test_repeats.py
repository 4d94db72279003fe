from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.digest import lines
from pytest_refinery.digest.repeats import LineIndex
from tests.unit.digest import written_out

ASKED = "Please exclude all transactions that say cash sweep redemption."
ANSWERED = "I will exclude these transactions from now on, as you asked me to."


def _shortened(*texts: str) -> list[list[str]]:
    index = LineIndex()
    found = []
    for number, text in enumerate(texts, start=1):
        split = lines.split(text)
        found.append(index.shortened(split))
        index.add(number, split, text=text)
    return found


def test_a_new_text_is_written_as_it_is() -> None:
    assert _shortened(f"{ASKED}\n\n  short") == [[f" {ASKED}", "", "   short"]]


def test_a_whole_text_is_one_reference() -> None:
    assert _shortened(f"Hello\n{ASKED}\nBye", f"Hello\n{ASKED}\nBye")[1] == ["=m1"]


def test_short_lines_around_long_ones_belong_to_the_range() -> None:
    earlier = f"1\n2\n{ASKED}\n{ANSWERED}\n5\n6"
    assert _shortened(earlier, f"new\n2\n{ASKED}\n{ANSWERED}\n5\nother")[1] == [" new", "=m1:2-5", " other"]


def test_a_short_part_of_a_text_is_written_again() -> None:
    assert _shortened(f"1\n2\n{ASKED}\n4", f"2\n{ASKED}\n4")[1] == [" 2", f" {ASKED}", " 4"]


def test_short_lines_alone_are_written_again() -> None:
    assert _shortened("Yes.\nNo.", "Yes.\nNo.")[1] == [" Yes.", " No."]


def test_history_pasted_with_speakers_is_found_without_them() -> None:
    assert _shortened(ASKED, ANSWERED, f"Human: {ASKED}\nAI: {ANSWERED}\nHuman: And now?")[2] == [
        '=m1 after "Human: "',
        '=m2 after "AI: "',
        " Human: And now?",
    ]


def test_a_line_is_found_in_a_text_that_has_it_after_a_speaker() -> None:
    line = f"{ASKED} {ANSWERED}"
    assert _shortened(f"History:\nHuman: {line}", line)[1] == ['=m1:2 without "Human: "']


def test_the_latest_copy_is_the_one_referred_to() -> None:
    grown = f"{ASKED}\n{ANSWERED}"
    assert _shortened(ASKED, grown, f"{grown}\nmore")[2] == ["=m2", " more"]


def test_a_text_may_repeat_its_own_lines() -> None:
    assert _shortened(f"{ASKED}\n{ASKED}") == [[f" {ASKED}", f" {ASKED}"]]


_LINES = st.sampled_from(
    [
        ASKED + ANSWERED,
        "",
        "ok",
        " ",
        "=m1",
        "m1 user: x",
        ASKED,
        ANSWERED,
        f"Human: {ASKED}",
        f"AI: {ANSWERED}",
        f"  {ASKED}",
    ]
)
_TEXTS = st.lists(_LINES, max_size=8).map("\n".join)


@given(st.lists(_TEXTS, max_size=6))
def test_every_text_can_be_written_out_again(texts: list[str]) -> None:
    written = ["\n".join(body) for body in _shortened(*texts)]
    digested = "\n".join(f"m{number} text:{body}" for number, body in enumerate(written, start=1))
    assert list(written_out.items(digested).values()) == ["\n".join(lines.split(text)) for text in texts]

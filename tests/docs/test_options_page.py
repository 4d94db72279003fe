from __future__ import annotations

from docs import generate_options
from pytest_refinery.options import OPTIONS


def test_the_page_says_what_the_options_say() -> None:
    assert generate_options.PAGE.read_text() == generate_options.page(), "write it again with: make docs"


def test_every_option_has_a_row_with_its_flag_and_its_variable() -> None:
    rows = [line for line in generate_options.page().splitlines() if line.startswith("|")][2:]
    assert len(rows) == len(OPTIONS)
    for option, row in zip(OPTIONS, rows, strict=True):
        assert all(f"`{name}" in row for name in (option.flag, option.variable) if name)

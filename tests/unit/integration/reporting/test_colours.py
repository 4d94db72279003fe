from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from pytest_refinery.integration.reporting import colours


@dataclass
class Writer:
    """Notes down what is written in which colours."""

    written: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def write(self, text: str, **markup: bool) -> None:
        self.written.append((text, tuple(markup)))

    def line(self, text: str = "", **markup: bool) -> None:
        self.write(f"{text}\n", **markup)


def written(*lines: str) -> list[tuple[str, tuple[str, ...]]]:
    writer = Writer()
    colours.write(writer, lines)
    return writer.written


@pytest.mark.parametrize(
    ("line", "label", "markup"),
    [
        ("Root cause   The prompt is silent.", "Root cause   ", ("red", "bold")),
        ("3 failures   The prompt is silent.", "3 failures   ", ("red", "bold")),
        ("Evidence     a quote", "Evidence     ", ("bold",)),
        ("Missing in the prompt: an answer", "Missing in the prompt", ("bold",)),
        ("Fixed        A cause.", "Fixed        ", ("green", "bold")),
    ],
)
def test_labels_stand_out(line: str, label: str, markup: tuple[str, ...]) -> None:
    assert written(line) == [(label, markup), (line[len(label) :] + "\n", ())]


@pytest.mark.parametrize("line", ["output.contains in run x", "             run on", "Expectedly so", "", "Step"])
def test_other_lines_stay_plain(line: str) -> None:
    assert written(line) == [(f"{line}\n", ())]


def test_a_change_keeps_its_colour_over_its_lines() -> None:
    found = written(
        "             + Say", "               so.", "             - Say", "               nothing.", "Summary      x"
    )
    assert [markup for _, markup in found] == [("green",), ("green",), ("red",), ("red",), ("bold",), ()]

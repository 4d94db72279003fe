from __future__ import annotations

import re
from pathlib import Path

from docs import generate_how_sure
from docs.generate_how_sure import figures

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_page_has_the_figures_of_the_last_measurement() -> None:
    assert generate_how_sure.PAGE.read_text(encoding="utf-8") == generate_how_sure.page(), "write it again: make docs"


def test_the_readme_names_the_same_figures() -> None:
    said = " ".join(README.read_text(encoding="utf-8").split())
    apart, labelled = figures("accuracy-builtin-planted-other", "planted"), figures("accuracy-builtin", "all")
    exact, three = labelled["checks"]["exact step"]["mean"], labelled["checks"]["in three"]["mean"]
    assert re.search(rf"{100 * apart['checks']['exact step']['mean']:.0f} % of {apart['cases']} cases", said)
    assert re.search(rf"{100 * exact:.0f} % of {labelled['cases']}, and {100 * three:.0f} %", said)

"""Write ``docs/reference/options.md`` from the table of options."""

from __future__ import annotations

from pathlib import Path

from pytest_refinery.options import OPTIONS, Option

PAGE = Path(__file__).parent / "reference" / "options.md"
_INTRODUCTION = """\
# Options

Each setting may be given as a flag, as an environment variable or as an ini key (in `pyproject.toml` under
`[tool.pytest.ini_options]`, in `pytest.ini`, ...). Where several are given, the flag wins over the variable, and the
variable over the ini key. A value that cannot be used ends the run before it starts, with one line for each.

| flag | variable | ini key | default | what it does |
|---|---|---|---|---|
"""
_CLOSING = """
Keys are never settings: they are read from the environment, by the package that uses them.

This page is generated from the options themselves: `make docs`.
"""


def page() -> str:
    """Return the page as Markdown."""
    return _INTRODUCTION + "".join(map(_row, OPTIONS)) + _CLOSING


def _row(option: Option) -> str:
    argument = f" {option.metavar}" if option.metavar else ""
    flag = f"`{option.flag}{argument}`" if option.flag else ""
    variable = f"`{option.variable}`" if option.variable else ""
    return f"| {flag} | {variable} | `{option.ini}` | {option.default} | {_escaped(option.help)} |\n"


def _escaped(text: str) -> str:
    return text.replace("*", r"\*").replace("|", r"\|")


if __name__ == "__main__":
    PAGE.write_text(page())

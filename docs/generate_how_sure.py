"""Write ``docs/explanation/how-sure.md`` from the figures in ``benchmarks/results``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "explanation" / "how-sure.md"
_RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
_SETS = (
    ("Planted errors, conversations kept apart", "accuracy-builtin-planted-other", "planted", "in part"),
    ("Planted errors, used while writing the rules", "accuracy-builtin-planted", "planted", "yes"),
    ("Planted errors, German", "accuracy-builtin-german", "planted, German", "yes"),
    ("Support conversations, labelled by people", "accuracy-builtin", "tau", "yes"),
    ("Generated teams of agents, labelled by people", "accuracy-builtin", "generated teams", "yes"),
    ("Hand-crafted team of agents, labelled by people", "accuracy-builtin", "hand-crafted team", "yes"),
)

_PAGE = """\
# Rules or a model: how sure is it

Each diagnosis says who made it: `by rules`, or `by` the name of a model. It also says how sure it is: `high`,
`medium` or `low`. This page says what was measured behind these words, and what was not.

## The choice

| | Rules | A model |
|---|---|---|
| used | without a key, and where a model gives no usable answer | with `OPENAI_API_KEY`, or a cassette of its answers |
| network, cost | none | yes; [what it costs](../how-to/use-openai.md) |
| same answer every time | yes | only from a cassette |
| judges sentences without checks | no | yes |
| understands your business | no: values, records, calls and the order of events | as far as the model does |
| accuracy measured here | yes, below | **no** |
| highest confidence | `high` | `medium`, since nothing was measured |

Both give the same report: every quote was found again in the trace by code, and the share of the trace that was read
is stated.

## How often the rules name the right step

Each failed trace is given to the rules as users give it: a file, a sentence and checks. "Exact step" counts the cases
in which the named step is the one that decided the failure; naming no step counts as wrong. A report shows up to
three candidates; "three candidates" counts the cases in which the right step is one of them. "Guessing" is a random
step.

| Cases | Number | Exact step | Three candidates | Guessing | Known when the rules were written |
|---|---|---|---|---|---|
{rows}

In brackets: the interval that holds the true figure in 95 of 100 samples of this size.

- **The first row is the one to trust most**: most of the rules were written without these conversations; a few of
  their failures were read later. Their errors are of the same kinds as those in the second row, though.
- **Errors of other kinds are found less often.** On 108 further cases outside of this repository, with more than
  thirty other kinds of error, the exact step was right in 77 % and one of three candidates in 96 %. There `high` was
  right in only 22 of 30 cases; it has since become stricter.
- **Real logs are harder than planted errors**, and less certain: two people who label the same log agree on the exact
  step in about 35 of 100 cases.

## What the confidence means

Confidence comes from counts: how often a rule, in a situation of this kind, named the right step in measured cases.

| Word | Meaning |
|---|---|
| high | Right in at least 8 of 10: the lower end of the interval over at least 10 measured cases of the same shape. |
| medium | Right more often than not, or an answer of a model about a trace that was read almost whole. |
| low | Too few measured cases, no verified quote, or much of the trace was not read. |

`-v` and the page show the counts behind the word. Confidence is never above what was read: `high` needs 90 % of the
steps.

## When not to believe it

- **"not determined"** means that no rule explains the failure. Read the candidates; do not take the first one as the
  cause.
- **A wrong expectation** is not always noticed. Where a record, the user or the prompt contradicts the expectation, the
  report says so in about nine of ten planted cases, and in 9 of 13 cases that the rules had not been tried on before.
- **A fix is a suggestion** until a re-run has shown that it helps; until then it says "not verified".

How it was measured, with floors, error kinds and each rule:
[benchmarks/accuracy](../../benchmarks/accuracy/README.md).

This page is generated from `benchmarks/results`: `make docs`.
"""


def page() -> str:
    """Return the page as Markdown."""
    return _PAGE.format(rows="\n".join(_row(*each) for each in _SETS))


def figures(file: str, name: str) -> dict[str, Any]:
    """Return the figures of one set of cases."""
    found: dict[str, Any] = json.loads((_RESULTS / f"{file}.json").read_text(encoding="utf-8"))["results"][name]
    return found


def _row(title: str, file: str, name: str, known: str) -> str:
    found = figures(file, name)
    exact, three = (_interval(found["checks"][measure]) for measure in ("exact step", "in three"))
    guessed = f"{found['floor: random']['exact step']:.0%}".replace("%", " %")
    return f"| {title} | {found['cases']} | {exact} | {three} | {guessed} | {known} |"


def _interval(found: dict[str, float]) -> str:
    return f"**{100 * found['mean']:.0f} %** ({100 * found['low']:.0f} to {100 * found['high']:.0f})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

from __future__ import annotations

import json
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pytest_refinery.analysis.ports import Spending
from pytest_refinery.analysis.records import Outcome, Report
from pytest_refinery.analysis.session_report import compile_report
from pytest_refinery.reports.page import render as page
from pytest_refinery.reports.page.kept import Kept
from tests import reported

VOID = frozenset({"meta", "link", "br", "input", "rect", "line", "path"})
STEERING = frozenset({"Cc", "Cf", "Cs", "Co"})


class Page(HTMLParser):
    """What a browser would make of the page, as far as it matters here."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.open: list[str] = []
        self.words: list[str] = []
        self._script: str | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self._script = dict(attrs).get("id") or "program"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for _, attrs in self.tags if attribute in attrs]


def rendered(found: Report | None = None) -> str:
    found = found or reported.report()
    return page.render(found, Kept({found.expectations[0].nodeid: reported.picture()}))


def test_the_summary_comes_first_then_causes_items_and_what_was_read() -> None:
    text = Page(rendered()).text
    order = [
        "1 of 3 expectations failed",
        "Why:",
        "Root causes",
        "Expectations",
        "The agent admits it.",
        "What was read",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "words",
    [
        "The agent admits it.",
        "Why: Clients believed it.",
        "Clients rely on a promise that is not kept.",
        "Nothing tells the agent that it has no memory, so it promised.",
        "3 of 6, model call llm 3 in desk",
        "desk:answer, re-run: 1 of 2 trials met, 2 needed; this is trial 2.",
        "passed trial 1 failed trial 2: It stopped.",
        "prompt issue",
        "high",
        f"{reported.PROMISE} A promise.",
        "output.not_contains llm 3 no promise one",
        "verdict: not met It promised.",
        "It says that it has no memory. It promised.",
        "Missing in the prompt That it has no memory.",
        "Wrong assumption That it can remember.",
        "system prompt prompts/system.md (not verified) +You forget.",
        "prompts/old.md is not the text that step 2 had. - Then.",
        "Diagnosed by a-model: 5 of 6 steps read (83.3 %). A note.",
        "Incomplete: group g02: busy.",
        "judge 1 100 5 0.0 s 0.0 s",
        "diagnosis 2 1,200 34 1 min 15 s 0.0 s",
        "A hook failed.",
        "No verdict The trace is gone.",
    ],
)
def test_an_item_tells_all_that_its_record_holds(words: str) -> None:
    assert words in Page(rendered()).text


def test_what_a_model_says_of_all_failures_and_what_is_new_is_shown() -> None:
    found = reported.report()
    session = found.session.model_dump()
    spent = {"name": "summary", "calls": 1}
    session["summary"] = {"model": "a-model", "cost": spent, "problem": "it was too long."}
    cause = found.root_causes[0].model_copy(update={"advice": "Say so in the prompt.", "is_known": True})
    gone = {"cause": "It guessed.", "failure_type": "tool_issue", "nodeids": ["old.refinery.yaml::gone"]}
    compared = {"earlier": "the last run", "new": 0, "known": 1, "gone": [gone], "changes": {"fixed": 1}}
    dumped = found.model_dump() | {"session": session, "comparison": compared, "root_causes": [cause.model_dump()]}
    text = Page(rendered(Report.model_validate(dumped))).text
    assert "a-model gave no summary: it was too long." in text
    assert "prompt issue known To do: Say so in the prompt." in text
    assert "Compared with an earlier run vs last run: 0 new, 1 known, 1 fixed" in text
    assert "fixed It guessed. tool issue old.refinery.yaml::gone" in text


def test_an_empty_run_has_a_page_too() -> None:
    assert "0 of 0 expectations failed" in Page(page.render(compile_report((), plugin_version="1"), Kept())).text


def test_a_trace_of_two_items_is_in_the_page_once() -> None:
    items = [reported.item(name, expectation={"line": line}) for line, name in enumerate(("one", "two", "three"), 1)]
    other = reported.picture(reported.trace(9))
    pictures = dict(zip((item.nodeid for item in items), (reported.picture(), reported.picture(), other), strict=True))
    parsed = Page(page.render(reported.report(*items), Kept(pictures)))
    assert parsed.values("data-picture") == ["picture-1", "picture-1", "picture-2"]
    assert [len(json.loads(parsed.scripts[name])["runs"]) for name in ("picture-1", "picture-2")] == [6, 9]


def test_pictures_that_make_the_page_too_large_are_left_out_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [reported.item(name, expectation={"line": line}) for line, name in enumerate(("one", "two"), 1)]
    pictures = {items[0].nodeid: reported.picture(), items[1].nodeid: reported.picture(reported.trace(9))}
    monkeypatch.setattr(page, "LARGEST_PAGE", len(pictures[items[0].nodeid]))
    parsed = Page(page.render(reported.report(*items), Kept(pictures)))
    assert parsed.values("data-picture") == ["picture-1", ""]
    assert parsed.text.count("Its picture was left out: the page would have become too large.") == 1


def test_marks_lead_from_an_item_to_its_runs() -> None:
    parsed = Page(rendered())
    marks = json.loads(parsed.values("data-marks")[0])
    assert marks["responsible"] == 3
    assert marks["quotes"][0] == {"run": 3, "quote": reported.PROMISE, "why": "A promise."}
    assert marks["findings"] == [{"run": 3, "what": "It promised."}]
    assert "#run-r-3@admits" in parsed.values("href")


def test_every_item_has_an_anchor_of_its_own_that_can_stand_in_an_address() -> None:
    names = ["a b", "a\tb", "a<b>", "ä[1-x]", "a b"]
    items = [
        reported.item(name, Outcome.PASSED, nodeid=f"f.yaml::{name}", expectation={"line": line})
        for line, name in enumerate(names)
    ]
    parsed = Page(page.render(reported.report(*items), Kept()))
    assert [attrs["id"] for tag, attrs in parsed.tags if tag == "article"] == [
        "item-f.yaml::a_b",
        "item-f.yaml::a_b~2",
        "a_b_",
        "ä[1-x]",
        "item-f.yaml::a_b~3",
    ]
    assert [value for value in parsed.values("id") if value.startswith("item-")] == [
        "item-f.yaml::a_b",
        "item-f.yaml::a_b~2",
        "item-f.yaml::a_b_",
        "item-f.yaml::ä[1-x]",
        "item-f.yaml::a_b~3",
    ]


def test_tokens_over_time_are_a_plot_beside_the_limit() -> None:
    spent = [Spending(100.0, 9_000), Spending(130.0, 8_000), Spending(200.0, 1_000)]
    parsed = Page(page.render(reported.report(), Kept(spendings=tuple(spent), limit=30_000)))
    assert "over 2 min 40 s: 17,000 at most, under a limit of 30,000; 18,000 in all." in parsed.text
    assert any(tag == "path" for tag, _ in parsed.tags)


def test_nothing_in_the_page_leads_anywhere_else() -> None:
    parsed = Page(rendered(reported.spoiled(reported.report(), "https://example.com/ //example.com")))
    assert {value[0] for value in parsed.values("href")} == {"#", "d"}
    assert [value for value in parsed.values("href") if not value.startswith("#")] == ["data:,"]
    for attribute in ("src", "srcset", "action", "formaction", "poster", "data", "style", "background"):
        assert not parsed.values(attribute)
    style = (Path(page.__file__).parent / "style.css").read_text("utf-8")
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_lets_in_this_script_and_style_and_nothing_else() -> None:
    html = rendered()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy.startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
    assert "unsafe" not in policy
    assert "https:" not in policy


@pytest.mark.parametrize("text", reported.HOSTILE, ids=lambda text: ascii(text)[:40])
def test_hostile_text_in_any_field_stays_text(text: str) -> None:
    calm = Page(rendered())
    found = reported.spoiled(reported.report(), text)
    html = page.render(found, Kept({found.expectations[0].nodeid: reported.picture(reported.spoiled_trace(text))}))
    parsed = Page(html)
    assert parsed.open == []
    assert set(parsed.scripts) == {"program", "picture-1"}
    assert {tag for tag, _ in parsed.tags} <= {tag for tag, _ in calm.tags}
    assert not [name for _, attrs in parsed.tags for name in attrs if name.startswith("on")]
    assert {character for character in html if unicodedata.category(character) in STEERING} <= {"\n"}
    html.encode()


@pytest.mark.parametrize("text", reported.HOSTILE[:-1], ids=lambda text: ascii(text)[:40])
def test_hostile_text_in_a_trace_is_shown_as_what_it_is(text: str) -> None:
    html = page.render(
        reported.report(), Kept({reported.item().nodeid: reported.picture(reported.spoiled_trace(text))})
    )
    (message, *_) = json.loads(Page(html).scripts["picture-1"])["messages"]
    shown = str(message["text"])
    assert not {character for character in shown if unicodedata.category(character) in STEERING}
    assert [c for c in shown if c.isalnum() and c.isascii()][:3] == [c for c in text if c.isalnum() and c.isascii()][:3]


def test_a_text_of_a_megabyte_in_every_field_makes_no_page_that_nobody_can_open() -> None:
    assert len(rendered(reported.spoiled(reported.report(), "x" * 1_000_000))) < 5_000_000

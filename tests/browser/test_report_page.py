"""The page as people use it, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from pytest_refinery.analysis.records import Outcome, Report
from pytest_refinery.traces.model import Run
from tests import reported

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Opened

    Open = Callable[..., Opened]

ITEM = "#item-memory.refinery.yaml::admits"
RUN = "#run-r-4@item-memory.refinery.yaml::admits"
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
WIDTHS = "[document.documentElement.scrollWidth, innerWidth]"


def several() -> Report:
    """Return a report with two causes, three tags and every outcome."""
    other = reported.diagnosis(cause="It guessed.", root_cause="It guessed a figure.", responsible_run_number=2)
    return reported.report(
        reported.item("admits"),
        reported.item("guesses", diagnosis=other, expectation={"line": 6, "tags": ("figures", "memory")}),
        reported.item("keeps", Outcome.PASSED, expectation={"line": 9, "tags": ("wording",)}),
        reported.item("reads", Outcome.UNDECIDED, error="The trace is gone.", trace=None, expectation={"line": 12}),
        reported.item("waits", Outcome.SKIPPED, expectation={"line": 15}),
    )


def names(window: Opened) -> list[str]:
    return [text.split()[2] for text in window.texts(".entries a")]


def rows(window: Opened, which: str = "") -> list[str]:
    # The text of a row that is out of sight can be had from its parts alone.
    parts = "row => [...row.querySelectorAll('.number, .label, .flag, .took')].map(part => part.textContent).join(' ')"
    visible = window.page.locator(f".runs button{which}").filter(visible=True).all()
    return [str(row.evaluate(parts)) for row in visible]


def selected(window: Opened) -> str:
    (row,) = rows(window, "[aria-current]")
    return row


def test_it_opens_from_a_file_and_shows_the_summary_first(opened: Open) -> None:
    window = opened()
    assert window.texts("h1") == ["1 of 3 expectations failed"]
    assert names(window) == ["admits", "reads", "keeps"]
    assert window.texts(".item") == []


@pytest.mark.parametrize(
    ("choose", "left"),
    [
        (lambda page: page.get_by_label("passed").uncheck(), ["admits", "guesses", "reads", "waits"]),
        (lambda page: page.get_by_role("combobox", name="Cause").select_option("It guessed a figure."), ["guesses"]),
        (lambda page: page.get_by_label("Tag").select_option("memory"), ["admits", "guesses", "reads", "waits"]),
        (lambda page: page.get_by_label("Text").fill("GUESSED figure"), ["guesses"]),
        (lambda page: page.get_by_label("Text").fill("no such word"), []),
    ],
    ids=["outcome", "cause", "tag", "text", "nothing"],
)
def test_filters_leave_what_fits_and_say_how_many(opened: Open, choose: Callable[..., None], left: list[str]) -> None:
    window = opened(several())
    assert window.texts(".found") == ["5 shown"]
    choose(window.page)
    assert names(window) == left
    assert window.texts(".found") == [f"{len(left)} of 5 shown"]


def test_the_list_can_be_used_without_a_mouse(opened: Open) -> None:
    window = opened(several())
    window.page.keyboard.press("/")
    window.page.keyboard.type("guess")
    assert names(window) == ["guesses"]
    window.page.keyboard.press("Tab")
    window.page.keyboard.press("Enter")
    window.shows("article h2", "The agent guesses it.")
    assert window.focused() == "The agent guesses it."
    window.page.keyboard.press("Escape")
    window.shows("article")
    assert window.focused() == "The agent guesses it."
    assert names(window) == ["guesses"]


def test_previous_and_next_follow_the_filtered_list(opened: Open) -> None:
    window = opened(several())
    window.page.get_by_label("Tag").select_option("memory")
    window.page.get_by_role("link", name="The agent guesses it.").click()
    window.page.get_by_role("link", name="Next").click()
    window.shows("article h2", "The agent reads it.")
    window.page.get_by_role("link", name="Previous").click()
    window.shows("article h2", "The agent guesses it.")
    window.page.get_by_role("link", name="All expectations").click()
    window.shows("article")


def test_a_link_to_an_item_opens_it_at_the_run_that_went_wrong(opened: Open) -> None:
    window = opened(anchor=ITEM)
    window.shows("article h2", "The agent admits it.")
    assert window.texts("h1") == []
    assert selected(window) == "3 llm 3 model call went wrong here quote 900 ms"
    assert window.page.evaluate("scrollY") == 0


@pytest.mark.parametrize("anchor", [RUN, "#run-r-4"], ids=["in its item", "alone"])
def test_a_link_to_a_run_opens_its_item_there(opened: Open, anchor: str) -> None:
    window = opened(anchor=anchor)
    window.shows("article h2", "The agent admits it.")
    assert selected(window).startswith("4 tool 4 tool call failed")
    assert window.texts(".reader .error") == ["Error\nTime is up."]
    expect(window.page.locator(".trace").first).to_be_in_viewport()


def test_links_in_the_text_lead_to_runs_and_the_way_back_works(opened: Open) -> None:
    window = opened(anchor=ITEM)
    window.page.get_by_role("link", name="step 2").click()
    window.shows(".reader h4", "2 llm 2")
    assert selected(window).startswith("2 llm 2")
    window.page.go_back()
    window.shows("article h2", "The agent admits it.")


@pytest.mark.parametrize("anchor", ["#item-nowhere", "#run-nowhere", "#run-%E0%A4%A", "#%"])
def test_a_link_to_what_is_not_there_opens_the_list(opened: Open, anchor: str) -> None:
    assert names(opened(anchor=anchor)) == ["admits", "reads", "keeps"]


def test_a_click_on_a_row_reads_the_run_and_gives_it_an_address(opened: Open) -> None:
    window = opened(anchor=ITEM)
    window.page.locator(".runs button").nth(1).click()
    assert "Answer 2." in window.texts(".reader")[0]
    assert window.page.url.endswith("#run-r-2@admits")
    window.go(window.page.url.partition("index.html")[2])
    assert selected(window).startswith("2 llm 2")


def test_rows_are_walked_with_the_arrow_keys(opened: Open) -> None:
    window = opened(anchor=ITEM)
    window.page.locator(".runs button[aria-current]").focus()
    for key, expected in (("ArrowDown", "4 tool 4"), ("ArrowUp", "3 llm 3"), ("End", "6 llm 6"), ("Home", "1 desk")):
        window.page.keyboard.press(key)
        assert selected(window).startswith(expected)
        assert " ".join(window.focused().split()) == selected(window)


def test_rows_show_nesting_kind_time_errors_and_marks(opened: Open) -> None:
    assert rows(opened(anchor=ITEM)) == [
        "1 desk part 6.0 s",
        "2 llm 2 model call 900 ms",
        "3 llm 3 model call went wrong here quote 900 ms",
        "4 tool 4 tool call failed 900 ms",
        "5 llm 5 model call 900 ms",
        "6 llm 6 model call 900 ms",
    ]


def test_bars_stand_where_and_as_long_as_their_runs(opened: Open) -> None:
    window = opened(anchor=ITEM)
    boxes = [bar.bounding_box() for bar in window.page.locator(".runs .bar").all()]
    root, first, second = (box for box in boxes[:3] if box)
    assert first["x"] - root["x"] == pytest.approx(root["width"] / 6, abs=1)
    assert second["x"] - first["x"] == pytest.approx(root["width"] / 6, abs=1)
    assert first["width"] == pytest.approx(root["width"] * 0.9 / 6, abs=1)


def test_a_trace_without_times_shows_the_order(opened: Open) -> None:
    pictures = {"memory.refinery.yaml::admits": reported.picture(reported.trace(is_timed=False))}
    window = opened(None, pictures, anchor=ITEM)
    assert "the bars show the order only" in window.texts(".hint")[0]
    lefts = [box["x"] for bar in window.page.locator(".runs .bar").all() if (box := bar.bounding_box())]
    assert lefts == sorted(set(lefts))


def test_rows_can_be_thinned_out(opened: Open) -> None:
    window = opened(anchor=ITEM)
    window.page.get_by_label("Which steps to show").select_option("calls")
    assert [row.split()[0] for row in rows(window)] == ["2", "3", "4", "5", "6"]
    window.page.get_by_label("Which steps to show").select_option("marked")
    assert [row.split()[0] for row in rows(window)] == ["3", "4"]


def test_quotes_are_highlighted_where_they_stand(opened: Open) -> None:
    window = opened(anchor=ITEM)
    assert window.texts(".reader mark") == [reported.PROMISE]
    window.page.get_by_role("button", name="Conversation").click()
    assert window.texts(".talk mark") == [reported.PROMISE]
    assert "went wrong here" in window.texts(".talk .responsible")[0]


def test_a_quote_is_found_whatever_its_white_space(opened: Open) -> None:
    quote = {"run_id": "r-2", "run_number": 2, "quote": "Leave  the\n sweeps [out] - (now)?", "verified": True}
    item = reported.item(diagnosis=reported.diagnosis(evidence=(quote,), responsible_run_number=2))
    runs = list(reported.trace().runs)
    said = {"messages": [{"role": "assistant", "content": "So: Leave the\tsweeps\n\n[out] - (now)? Yes."}]}
    runs[1] = runs[1].model_copy(update={"outputs": said})
    spoken = reported.trace().model_copy(update={"runs": tuple(runs)})
    window = opened(reported.report(item), {item.nodeid: reported.picture(spoken)}, anchor=ITEM)
    assert window.page.locator(".reader mark").first.text_content() == "Leave the\tsweeps\n\n[out] - (now)?"


def test_a_quote_in_a_form_that_is_not_shown_stands_by_itself(opened: Open) -> None:
    quote = {"run_id": "r-2", "run_number": 2, "quote": '"content": "Answer 2."', "verified": True}
    item = reported.item(judge=None, diagnosis=reported.diagnosis(evidence=(quote,), responsible_run_number=2))
    window = opened(reported.report(item), {item.nodeid: reported.picture()}, anchor=ITEM)
    assert window.texts(".reader blockquote mark") == ['"content": "Answer 2."']


def test_a_long_text_is_folded_behind_its_first_mark(opened: Open) -> None:
    text = f"{'word ' * 600}{reported.PROMISE}{' more' * 600} End."
    runs = [run.model_copy(update={"outputs": text}) for run in reported.trace().runs]
    long = reported.trace().model_copy(update={"runs": tuple(runs)})
    window = opened(None, {"memory.refinery.yaml::admits": reported.picture(long)}, anchor=ITEM)
    assert window.texts(".reader mark") == [reported.PROMISE]
    assert "End." not in window.texts(".reader")[0]
    window.page.get_by_role("button", name="Show all").first.click()
    assert window.texts(".reader mark") == [reported.PROMISE]
    assert "End." in window.texts(".reader")[0]


def test_long_texts_are_folded_and_unfold(opened: Open) -> None:
    runs = [run.model_copy(update={"outputs": f"Begin {'word ' * 2000}end."}) for run in reported.trace().runs]
    long = reported.trace().model_copy(update={"runs": tuple(runs)})
    window = opened(None, {"memory.refinery.yaml::admits": reported.picture(long)}, anchor="#run-r-2")
    assert not window.texts(".reader")[0].rstrip().endswith("end.")
    window.page.get_by_role("button", name="Show all 10,010 characters").first.click()
    assert "word end." in window.texts(".reader")[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("anchor", ["", ITEM, RUN])
def test_axe_finds_nothing_serious(opened: Open, scheme: str, anchor: str) -> None:
    window = opened(several(), {"memory.refinery.yaml::admits": reported.picture()}, anchor=anchor, color_scheme=scheme)
    assert serious(window) == []
    if anchor == ITEM:
        window.page.get_by_role("button", name="Conversation").click()
        assert serious(window) == []


def serious(window: Opened) -> list[tuple[str, str]]:
    found = Axe().run(window.page).response["violations"]
    return [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in {"serious", "critical"}]


def test_dark_is_dark_and_light_is_light(opened: Open) -> None:
    light, dark = (opened(color_scheme=scheme) for scheme in ("light", "dark"))
    brightness = "parseInt(getComputedStyle(document.body).backgroundColor.slice(4))"
    assert light.page.evaluate(brightness) > 200
    assert dark.page.evaluate(brightness) < 50


@pytest.mark.parametrize("anchor", ["", ITEM, RUN])
def test_a_phone_needs_no_scrolling_sideways(opened: Open, anchor: str) -> None:
    window = opened(several(), {"memory.refinery.yaml::admits": reported.picture()}, anchor=anchor, **PHONE)
    width, inner = window.page.evaluate(WIDTHS)
    assert width == inner == 360
    if anchor:
        window.page.get_by_role("button", name="Conversation").click()
        assert window.page.evaluate(WIDTHS) == [360, 360]


def test_on_a_phone_a_chosen_run_comes_into_view(opened: Open) -> None:
    window = opened(anchor=ITEM, reduced_motion="reduce", **PHONE)
    window.page.locator(".runs button").nth(1).tap()
    assert window.page.locator(".reader h4").evaluate("each => each.getBoundingClientRect().top") < 740


def test_printed_from_the_list_it_holds_every_failure_and_no_controls(opened: Open) -> None:
    window = opened(several())
    window.page.emulate_media(media="print")
    assert window.texts("article h2") == [f"The agent {name} it." for name in ("admits", "guesses", "reads", "waits")]
    assert window.texts("form, .way, .found") == []


def test_printed_from_an_item_it_holds_that_item_with_its_trace_whole(opened: Open) -> None:
    pictures = {"memory.refinery.yaml::admits": reported.picture(reported.trace(80))}
    window = opened(None, pictures, anchor=ITEM)
    window.page.emulate_media(media="print")
    window.shows("article h2", "The agent admits it.")
    assert window.page.locator(".runs").evaluate("each => each.scrollHeight <= each.clientHeight + 1")
    assert len(rows(window)) == 80


def test_who_wants_no_motion_gets_none(opened: Open) -> None:
    duration = "getComputedStyle(document.querySelector('.entries a')).transitionDuration"
    assert opened(reduced_motion="reduce").page.evaluate(duration) == "0s"
    assert opened(reduced_motion="no-preference").page.evaluate(duration) != "0s"


def test_without_scripts_everything_but_the_picture_can_be_read(opened: Open) -> None:
    window = opened(java_script_enabled=False)
    assert window.texts("article h2") == [f"The agent {name} it." for name in ("admits", "reads", "keeps")]
    assert window.texts("noscript") == ["The picture of the trace needs JavaScript."]


def test_a_trace_of_a_thousand_runs_is_all_there_and_scrolls(opened: Open) -> None:
    pictures = {"memory.refinery.yaml::admits": reported.picture(reported.trace(1_000))}
    window = opened(None, pictures, anchor="#run-r-990")
    assert selected(window).startswith("990 ")
    expect(window.page.locator(".runs li")).to_have_count(1000)
    assert (
        window.page.locator(".runs li")
        .nth(989)
        .evaluate(
            "each => { const list = each.parentElement.getBoundingClientRect(), own = each.getBoundingClientRect();"
            " return own.top >= list.top && own.bottom <= list.bottom }"
        )
    )
    window.page.locator(".runs").evaluate("each => (each.scrollTop = each.scrollHeight)")
    assert window.page.locator(".runs li").last.is_visible()


def test_words_that_mean_something_to_the_page_are_words_like_others(opened: Open) -> None:
    said = {"messages": [{"role": "constructor responsible", "content": "Hello."}]}
    runs = (reported.trace().runs[0].model_copy(update={"kind": "constructor", "outputs": said, "name": "__proto__"}),)
    odd = reported.trace().model_copy(update={"runs": runs})
    window = opened(None, {"memory.refinery.yaml::admits": reported.picture(odd)}, anchor=ITEM)
    assert selected(window) == "1 __proto__ constructor 6.0 s"
    assert window.texts(".reader summary b") == ["constructor responsible", "data"]
    window.page.get_by_role("button", name="Conversation").click()
    assert window.texts(".talk .responsible") == []


@pytest.mark.parametrize("text", reported.HOSTILE, ids=lambda text: ascii(text)[:40])
def test_hostile_text_does_nothing(opened: Open, text: str) -> None:
    found = reported.spoiled(reported.report(), text)
    pictures = {found.expectations[0].nodeid: reported.picture(reported.spoiled_trace(text))}
    window = opened(found, pictures)
    window.page.locator(".entries a").first.click()
    assert window.page.locator(".runs li").count() == 2
    window.page.locator(".runs button").first.click()
    window.page.get_by_role("button", name="Conversation").click()
    assert window.page.title().startswith("pytest-refinery: ")
    assert window.page.evaluate(WIDTHS) == [1280, 1280]
    assert window.page.evaluate("document.querySelectorAll('img, iframe, script:not([id])').length") == 1


def test_a_chat_opens_as_a_conversation(opened: Open) -> None:
    runs = [
        Run(id=str(number), name=role, kind="message", outputs={"role": role, "content": text})
        for number, (role, text) in enumerate([("user", "Leave the sweeps out."), ("assistant", reported.PROMISE)])
    ]
    chat = reported.trace().model_copy(update={"runs": tuple(runs), "format": "transcript"})
    window = opened(None, {"memory.refinery.yaml::admits": reported.picture(chat)}, anchor=ITEM)
    assert [text.split("\n")[-1] for text in window.texts(".talk li")] == ["Leave the sweeps out.", reported.PROMISE]
    assert not window.page.locator(".timeline").is_visible()


def test_a_traceback_is_its_last_line_until_it_is_unfolded(opened: Open) -> None:
    raised = "Traceback (most recent call last):\n  File \"/home/ada/desk.py\", line 3, in look\nKeyError: 'notes'"
    runs = list(reported.trace().runs)
    runs[3] = runs[3].model_copy(update={"error": raised})
    broken = reported.trace().model_copy(update={"runs": tuple(runs)})
    window = opened(None, {"memory.refinery.yaml::admits": reported.picture(broken)}, anchor=RUN)
    assert window.texts(".reader .error") == ["Error\nKeyError: 'notes'\nTraceback"]
    window.page.get_by_text("Traceback", exact=True).click()
    assert 'File "~/desk.py", line 3' in window.texts(".reader .error")[0]


def test_what_a_tool_says_in_one_field_is_shown_as_its_text(opened: Open) -> None:
    runs = list(reported.trace().runs)
    runs[3] = runs[3].model_copy(update={"outputs": {"output": "Two accounts."}, "error": None})
    plain = reported.trace().model_copy(update={"runs": tuple(runs)})
    window = opened(None, {"memory.refinery.yaml::admits": reported.picture(plain)}, anchor=RUN)
    assert "output:" not in window.texts(".reader")[0]
    assert "Two accounts." in window.texts(".reader")[0]


def test_candidates_are_marked_in_the_trace(opened: Open) -> None:
    candidates = [
        {"run_id": f"r-{number}", "run_number": number, "run_name": f"llm {number}", "reason": "Maybe.", "share": 0.5}
        for number in (3, 5)
    ]
    item = reported.item(diagnosis=reported.diagnosis(candidates=candidates))
    window = opened(reported.report(item), {item.nodeid: reported.picture()}, anchor=ITEM)
    assert rows(window)[4] == "5 llm 5 model call candidate 2 900 ms"


def test_expectations_about_one_trace_stand_together_and_failures_first(opened: Open) -> None:
    items = [reported.item(name, expectation={"line": line}) for line, name in enumerate(("one", "two"), 1)]
    passed = reported.item("fits", Outcome.PASSED, expectation={"line": 0})
    window = opened(reported.report(passed, *items), {})
    assert window.texts(".entries > .of-trace") == ["2 expectations about the trace desk"]
    assert names(window) == ["one", "two", "fits"]

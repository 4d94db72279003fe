from __future__ import annotations

import string
from typing import TYPE_CHECKING

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.traces import templates

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS = st.text(string.ascii_letters + " \n.,:-\"'", max_size=30)
VALUES = st.text(max_size=30)
NAMES = st.sampled_from(["name", "user", "today", "order_id"])
STYLES: dict[str, tuple[str, Callable[[str, dict[str, str]], str]]] = {
    "format": ("{{{}}}", lambda text, values: text.format(**values)),
    "jinja": ("{{{{ {} }}}}", lambda text, values: jinja2.Template(text, keep_trailing_newline=True).render(values)),
    "template": ("${{{}}}", lambda text, values: string.Template(text).substitute(values)),
}


@pytest.mark.parametrize("style", STYLES)
@given(parts=st.lists(st.tuples(WORDS, NAMES), min_size=1, max_size=6), tail=WORDS, values=st.lists(VALUES, min_size=4))
def test_a_template_renders_to_what_its_own_library_makes_of_it(
    style: str, parts: list[tuple[str, str]], tail: str, values: list[str]
) -> None:
    variable, render = STYLES[style]
    text = "".join(f"{words}{variable.format(name)}" for words, name in parts) + tail
    given_values = dict(zip(("name", "user", "today", "order_id"), values, strict=False))
    template = templates.parse(text)
    assert templates.has_variables(text)
    assert not template.literals or template.renders_to(f"Before. {render(text, given_values)} After.")


@given(st.text())
def test_a_text_without_variables_renders_to_itself(text: str) -> None:
    plain = text.replace("{", "").replace("$", "")
    assert templates.parse(plain).renders_to(plain) is bool(templates.fold(templates.parse(plain).text))


@given(st.text(), st.text())
def test_any_text_can_be_parsed_and_compared(one: str, other: str) -> None:
    assert templates.parse(one).renders_to(other) in {True, False}


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("Hello {name}, today is {day:%A}.", "Hello Ada, today is Monday."),
        ('Answer as {{"total": 1}} for {user.name!r}.', "Answer as {\"total\": 1} for 'Ada'."),
        ("Rules:\n{% for rule in rules %}- {{ rule }}\n{% endfor %}Be brief.", "Rules:\n- a\n- b\nBe brief."),
        ("Hi.{% if vip %} A valued client.{% endif %} Be brief.", "Hi. Be brief."),
        ("{{#items}}* {{name}}\n{{/items}}\nBe {{{tone}}}, please.", "* a\n\nBe kind, please."),
        ("{# for authors only #}Be brief.", "Be brief."),
        ("---\nmodel: small\n---\nBe brief.", "Be brief."),
        ('Return {"ok": true} and nothing else.', 'Return {"ok": true} and nothing else.'),
        ("Be brief.\nBe kind.", "You are a bot.  Be brief. Be kind.\n\nContext: none"),
    ],
)
def test_a_rendering_is_recognised(template: str, rendered: str) -> None:
    assert templates.parse(template).renders_to(rendered)


@pytest.mark.parametrize(
    ("template", "other"),
    [
        ("Hello {name}. Be brief.", "Hello Ada. Be kind."),
        ("Be brief. {rest} Be kind.", "Be kind. And so on. Be brief."),
        ("{anything}", "Some text."),
        ("", "Some text."),
    ],
)
def test_another_text_is_no_rendering(template: str, other: str) -> None:
    assert not templates.parse(template).renders_to(other)

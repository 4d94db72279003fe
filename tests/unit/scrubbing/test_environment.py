"""Secrets of the environment are found in every form that they are sent in, and never shown."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.scrubbing import environment

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE = 'p"ss wörd/+='


@pytest.mark.parametrize(
    "name",
    ["OPENAI_API_KEY", "DB_PASSWORD", "github_token", "AWS_SECRET_ACCESS_KEY", "SECRET", "STRIPE_KEYS", "MY_APIKEY"],
)
def test_variables_are_secrets_by_the_words_in_their_names(name: str) -> None:
    assert environment.of_environment({name: VALUE}).found_in([f"x{VALUE}y"]) == name


@pytest.mark.parametrize("name", ["PWD", "MAX_TOKENS", "MONKEY", "SSH_AUTH_SOCK", "KEY_FILE", "TOKEN_LIMIT", "PASSAGE"])
def test_others_are_not(name: str) -> None:
    assert environment.of_environment({name: VALUE}).found_in([VALUE]) is None


def test_the_password_of_a_url_is_a_secret_whatever_its_variable_is_called() -> None:
    secrets = environment.of_environment({"BUDGET": "redis://me:0123456789@host/0", "HOME_PAGE": "https://example.com"})

    assert secrets.found_in(["0123456789"]) == "BUDGET"
    assert secrets.found_in(["https://example.com"]) is None


def test_what_is_too_short_to_be_a_secret_is_not_looked_for() -> None:
    assert environment.of_environment({"API_KEY": "test", "TOKEN": ""}).found_in(["this is a test"]) is None


@pytest.mark.parametrize("form", [str, quote, quote_plus, lambda text: quote(text, safe=""), json.dumps, repr])
def test_it_is_found_as_it_is_spelled_in_urls_and_json(form: Callable[[str], str]) -> None:
    secrets = environment.of_environment({"API_KEY": "abc/def+ghi jkl"})

    assert secrets.found_in(["nothing", f"<{form('abc/def+ghi jkl')}>"]) == "API_KEY"


@given(st.binary(max_size=5), st.text(alphabet="abcXYZ019+/", min_size=8, max_size=30), st.binary(max_size=5))
def test_it_is_found_inside_base64_wherever_it_begins(before: bytes, secret: str, after: bytes) -> None:
    coded = base64.b64encode(before + secret.encode() + after).decode()

    assert environment.of_environment({"API_KEY": secret}).found_in([coded]) == "API_KEY"


def test_no_secret_is_in_the_representation() -> None:
    assert VALUE not in repr(environment.of_environment({"API_KEY": VALUE}))

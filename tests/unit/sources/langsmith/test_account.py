"""Which LangSmith is asked, and who gets to see the key."""

from __future__ import annotations

import pytest

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.langsmith import account as langsmith_account

CLOUD = "https://api.smith.langchain.com"


@pytest.mark.parametrize(
    ("written", "endpoint"),
    [
        (None, CLOUD),
        ("https://eu.api.smith.langchain.com", "https://eu.api.smith.langchain.com"),
        ("https://smith.example.com/api/v1", "https://smith.example.com"),
        (' "https://smith.example.com/api/" ', "https://smith.example.com"),
        ("http://localhost:1984", "http://localhost:1984"),
    ],
)
def test_the_endpoint_is_that_of_the_variable(written: str | None, endpoint: str) -> None:
    variables = {"LANGSMITH_ENDPOINT": written} if written else {}
    assert langsmith_account.from_environment(variables).endpoint == endpoint


def test_the_older_names_of_the_variables_serve_where_the_newer_are_empty() -> None:
    variables = {"LANGSMITH_API_KEY": " ", "LANGCHAIN_API_KEY": "old", "LANGCHAIN_PROJECT": "support"}
    account = langsmith_account.from_environment(variables)
    assert (account.key, account.project) == ("old", "support")


@pytest.mark.parametrize("written", ["smith.example.com", "file:///tmp", "https://", "https://[half"])
def test_an_endpoint_that_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(TraceError, match="LANGSMITH_ENDPOINT must be the address of an API"):
        langsmith_account.from_environment({"LANGSMITH_ENDPOINT": written})


def test_no_key_gets_a_sentence() -> None:
    with pytest.raises(TraceError, match=r"LANGSMITH_API_KEY is not set\. Set it to a key"):
        langsmith_account.from_environment({}).headers()


def test_the_headers_name_the_workspace_where_one_is_chosen() -> None:
    account = langsmith_account.from_environment({"LANGSMITH_API_KEY": "k", "LANGSMITH_WORKSPACE_ID": "w"})
    assert account.headers() == {"X-Api-Key": "k", "X-Tenant-Id": "w"}


def test_nothing_shows_the_key() -> None:
    account = langsmith_account.from_environment({"LANGSMITH_API_KEY": "lsv2_secret"})
    assert "lsv2_secret" not in f"{account} {account!r}"


@pytest.mark.parametrize(
    ("page", "endpoint"),
    [
        (None, CLOUD),
        ("smith.langchain.com", CLOUD),
        ("eu.smith.langchain.com", "https://eu.api.smith.langchain.com"),
        ("aws.smith.langchain.com", "https://aws.api.smith.langchain.com"),
    ],
)
def test_a_page_of_the_cloud_says_which_region_to_ask(page: str | None, endpoint: str) -> None:
    assert langsmith_account.from_environment({}).endpoint_for(page) == endpoint


@pytest.mark.parametrize(
    "page",
    ["smith.example.com", "smith.langchain.com.example.com", "notsmith.langchain.com", "a.b.smith.langchain.com"],
)
def test_the_key_goes_to_no_host_that_only_an_address_names(page: str) -> None:
    with pytest.raises(TraceError, match=f"The address is of {page}, but LANGSMITH_ENDPOINT is not set"):
        langsmith_account.from_environment({}).endpoint_for(page)


@pytest.mark.parametrize(
    ("endpoint", "page"),
    [
        ("https://eu.api.smith.langchain.com", "smith.langchain.com"),
        (CLOUD, "smith.example.com"),
        ("https://smith.example.com", "smith.langchain.com"),
    ],
)
def test_a_page_of_another_langsmith_than_the_endpoint_is_refused(endpoint: str, page: str) -> None:
    account = langsmith_account.from_environment({"LANGSMITH_ENDPOINT": endpoint})
    with pytest.raises(TraceError, match="Set LANGSMITH_ENDPOINT to the API of"):
        account.endpoint_for(page)


def test_a_page_of_the_region_that_was_set_is_asked_there() -> None:
    account = langsmith_account.from_environment({"LANGSMITH_ENDPOINT": "https://eu.api.smith.langchain.com"})
    assert account.endpoint_for("eu.smith.langchain.com") == "https://eu.api.smith.langchain.com"


@pytest.mark.parametrize("page", ["smith.example.com", "pages.example.com"])
def test_a_self_hosted_one_is_asked_where_it_was_set_up(page: str) -> None:
    account = langsmith_account.from_environment({"LANGSMITH_ENDPOINT": "https://smith.example.com/api/v1"})
    assert account.endpoint_for(page) == "https://smith.example.com"

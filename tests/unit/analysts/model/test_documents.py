from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysis.ports import PromptFile
from pytest_refinery.analysts.model import documents
from pytest_refinery.digest import grouping, render
from pytest_refinery.digest.grouping import Group
from pytest_refinery.expectations.verdicts import CheckFailure
from pytest_refinery.traces.prompts import Prompt
from tests.fakes import make_case
from tests.openai_server import retrieval

FAILED = CheckFailure(check="errors", expected="a", actual="b")
GROUPS = grouping.group(render.digest(make_case("one", "two", "three").trace), group_size_runs=1)


def sized(tokens: int) -> Group:
    return Group(name="g01", filename="g01.md", run_ids=("r1",), text="", tokens=tokens)


def test_each_group_is_a_file_that_says_which() -> None:
    found = documents.of_trace(GROUPS)
    assert [each.name for each in found] == [group.filename for group in GROUPS]
    assert [each.attributes["group"] for each in found] == ["g01", "g02", "g03"]
    assert {each.attributes["role"] for each in found} == {"trace"}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("prompts/system.md", "prompt_system.md"),
        ("a/b.TXT", "prompt_b.TXT"),
        ("rules.yaml", "prompt_rules.yaml.txt"),
        ("table.csv", "prompt_table.csv.txt"),
        ("README", "prompt_README.txt"),
    ],
)
def test_extensions_that_the_service_refuses_are_wrapped(path: str, name: str) -> None:
    case = replace(make_case("one"), prompt_files=(PromptFile(path, "Be brief."),))
    assert [each.name for each in documents.of_case(case)][-1] == name


def test_a_case_adds_expectations_and_evals_and_no_empty_file() -> None:
    case = replace(
        make_case("one"),
        failures=(FAILED,),
        prompt_files=(PromptFile("empty.md", " \n"),),
    )
    assert [(each.name, each.role) for each in documents.of_case(case)] == [
        ("expectations.md", "expectations"),
        ("evals.md", "evals"),
    ]


def test_a_case_adds_its_prompts_once_and_its_evals() -> None:
    told = "You are the assistant of a broker. Be brief."
    files = (PromptFile("prompts/system.md", told),)
    evals = (PromptFile("evals/tone.yaml", "Is it polite?"), PromptFile("empty.md", ""))
    of_trace = tuple(Prompt(kind="system", text=text, run_ids=("r1",)) for text in (told, "You summarise."))
    case = replace(make_case("one"), prompts=of_trace, prompt_files=files, eval_files=evals)
    assert [(each.name, each.role, each.text) for each in documents.of_case(case)][1:] == [
        ("prompt_system.md", "prompt", told),
        ("prompt_1_of_the_trace.md", "prompt", "You summarise."),
        ("eval_tone.yaml.txt", "eval", "Is it polite?"),
    ]


def test_a_store_is_known_by_its_groups_and_their_chunks() -> None:
    whole = documents.of_trace(GROUPS)
    assert documents.identity(whole, 800) == documents.identity(documents.of_trace(GROUPS), 800)
    assert documents.identity(whole, 800) != documents.identity(whole, 900)
    assert documents.identity(whole, 800) != documents.identity(whole[1:], 800)


@given(st.integers(1, 150_000))
def test_one_search_can_return_the_largest_group_whole(tokens: int) -> None:
    chunk = documents.chunk_tokens([sized(tokens)])
    assert 800 <= chunk <= 4_096
    text = "word " * tokens
    chunks = list(retrieval.chunked(text, size=chunk, overlap=0, count=lambda piece: len(piece.split())))[:60]
    assert len(chunks) <= documents.results_for(sized(tokens), chunk) <= 50

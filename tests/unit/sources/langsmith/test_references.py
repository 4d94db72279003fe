"""What names a trace of LangSmith, and what does not."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.langsmith import references as langsmith_references
from pytest_refinery.sources.langsmith.references import RunReference, SharedReference

RUN, TRACE, PROJECT = (str(UUID(int=number)) for number in (1, 2, 3))
PAGE = f"https://smith.langchain.com/o/{UUID(int=9)}/projects/p/{PROJECT}"
HOST = "smith.langchain.com"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (RUN, RunReference(RUN)),
        (f"  {RUN.upper()}\n", RunReference(RUN)),
        (f"{PAGE}/r/{RUN}", RunReference(RUN, None, PROJECT, HOST)),
        (f"{PAGE}/r/{RUN}/", RunReference(RUN, None, PROJECT, HOST)),
        (f"{PAGE}/r/{RUN}?poll=true", RunReference(RUN, None, PROJECT, HOST)),
        (f"{PAGE}/r/{RUN}?trace_id={TRACE}&start_time=2026-03-02T09:30:00", RunReference(RUN, TRACE, PROJECT, HOST)),
        (f"{PAGE}/r/{RUN}?poll=true&trace_id={TRACE}#top", RunReference(RUN, TRACE, PROJECT, HOST)),
        # A run opened beside the list of runs.
        (f"{PAGE}?timeModel=%7B%7D&peek={RUN}&peeked_trace={TRACE}", RunReference(RUN, TRACE, PROJECT, HOST)),
        (f"{PAGE}?peek=20260609T021546Z{RUN}&trace_id={TRACE}", RunReference(RUN, TRACE, PROJECT, HOST)),
        (f"{PAGE}?peeked_trace=20260609T021546383895Z{TRACE}", RunReference(TRACE, TRACE, PROJECT, HOST)),
        (f"https://{HOST}/o/x/projects/support?peek={RUN}", RunReference(RUN, None, None, HOST)),
        (f"https://eu.{HOST}/projects/p/{PROJECT}/r/{RUN}", RunReference(RUN, None, PROJECT, f"eu.{HOST}")),
        (f"http://127.0.0.1:1980/o/0/projects/p/{PROJECT}/r/{RUN}", RunReference(RUN, None, PROJECT, "127.0.0.1")),
        (f"https://{HOST}/public/{RUN}/r", SharedReference(RUN, HOST)),
        (f"https://{HOST}/public/{RUN}/r/{TRACE}", SharedReference(RUN, HOST)),
    ],
)
def test_ids_and_addresses_name_a_run(written: str, meant: object) -> None:
    assert langsmith_references.read_reference(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "trace.json",
        f"{RUN}.json",
        f"traces/{RUN}",
        f"./{RUN}",
        RUN.replace("-", ""),
        f"{RUN}x",
        "C:\\traces\\a.json",
        "",
    ],
)
def test_all_else_is_a_file(written: str) -> None:
    assert langsmith_references.read_reference(written) is None


@pytest.mark.parametrize(
    "written",
    [
        PAGE,
        f"{PAGE}/t/{RUN}",
        f"https://{HOST}/",
        f"https://{HOST}/o/x/datasets/{RUN}",
        f"https://example.com/{RUN}",
        f"ftp://{HOST}/projects/p/{PROJECT}/r/{RUN}",
        "file:///etc/passwd",
        "https://[half",
        f"https://{HOST}/projects/p/{PROJECT}/r/../../etc/passwd",
    ],
)
def test_an_address_of_something_else_is_refused_with_what_to_copy(written: str) -> None:
    with pytest.raises(TraceError, match="copy the address of its page"):
        langsmith_references.read_reference(written)


def test_a_refused_address_is_shown_without_what_may_be_secret() -> None:
    with pytest.raises(TraceError) as refused:
        langsmith_references.read_reference("https://me:secret@example.com/trace.json?X-Amz-Signature=signed")
    assert "example.com/trace.json" in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "signed" not in str(refused.value)


def test_nothing_shows_the_token_of_a_share() -> None:
    shared = langsmith_references.read_reference(f"https://{HOST}/public/4f7a1b2c-8d9e-4a0b-9c1d-2e3f4a5b6c7d/r")
    assert "9c1d" not in f"{shared} {shared!r}"


@pytest.mark.parametrize(("written", "run_id"), [(f"runs/{RUN}", RUN), (f"..\\{RUN}", RUN), (RUN, None), ("a/b", None)])
def test_an_id_at_the_end_of_a_path_is_seen(written: str, run_id: str | None) -> None:
    assert langsmith_references.id_in_path(written) == run_id


@given(st.text())
def test_any_text_is_a_file_or_a_run_or_refused(written: str) -> None:
    try:
        found = langsmith_references.read_reference(written)
    except TraceError:
        assert "://" in written
    else:
        assert found is None or isinstance(found, RunReference | SharedReference)


@given(st.text(alphabet="/?&=#:.@%[]-abcdefr0123456789", max_size=80))
def test_any_address_is_a_run_with_whole_ids_or_refused(rest: str) -> None:
    try:
        found = langsmith_references.read_reference(f"https://{rest}")
    except TraceError:
        return
    assert found is not None
    named = found.token if isinstance(found, SharedReference) else found.run_id
    assert str(UUID(named)) == named


@given(run=st.uuids(), trace=st.none() | st.uuids(), project=st.uuids(), polls=st.booleans())
def test_what_a_page_names_comes_back(run: UUID, trace: UUID | None, project: UUID, polls: bool) -> None:  # noqa: FBT001
    query = "&".join([*(["poll=true"] if polls else []), *([f"trace_id={trace}"] if trace else [])])
    found = langsmith_references.read_reference(f"https://{HOST}/o/x/projects/p/{project}/r/{run}?{query}")
    assert found == RunReference(str(run), str(trace) if trace else None, str(project), HOST)

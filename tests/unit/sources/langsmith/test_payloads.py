"""What LangSmith stores apart from its run is read with it, from where LangSmith says and from nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.errors import TraceError
from tests.langsmith_server import KEY, faults, traces
from tests.langsmith_server.faults import Fault
from tests.langsmith_server.messages import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.sources.langsmith.source import LangSmith
    from tests.langsmith_server import LangSmithServer

    Connect = Callable[..., LangSmith]

HERE = Path()
SIGNATURE = "0123456789abcdef"


@pytest.fixture
def trace_id(server: LangSmithServer) -> str:
    """A trace whose inputs and outputs are all stored apart, as only v1 shows it."""
    server.has_v2 = False
    return server.store.add(traces.made(5), stored_apart=True).id


def refusal(source: LangSmith, reference: str) -> str:
    with pytest.raises(TraceError) as refused:
        source.load(reference, base=HERE)
    assert SIGNATURE not in str(refused.value)
    return str(refused.value)


def test_inputs_and_outputs_are_read(server: LangSmithServer, connect: Connect, trace_id: str) -> None:
    found = connect().load(trace_id, base=HERE)
    assert [(run.inputs, run.outputs) for run in found.runs[1:]] == [
        ({"input": f"step {index}"}, {"output": f"done {index}"}) for index in (1, 2, 3, 4)
    ]
    assert SIGNATURE not in found.model_dump_json()


def test_those_of_a_share_are_read(server: LangSmithServer, connect: Connect, trace_id: str) -> None:
    token = server.store.share(server.store.traces[0])
    found = connect().load(f"{server.endpoint}/public/{token}/r", base=HERE)
    assert found.runs[1].inputs == {"input": "step 1"}


def test_they_are_asked_for_without_the_key(server: LangSmithServer, connect: Connect, trace_id: str) -> None:
    connect().load(trace_id, base=HERE)
    asked = [each.request for each in server.log if each.request.path.startswith("/blobs/")]
    assert len(asked) == 10
    assert {each.key for each in asked} == {None}


def test_an_address_may_be_a_path_of_the_backend(server: LangSmithServer, connect: Connect, trace_id: str) -> None:
    server.faults.add(faults.elsewhere("/blobs/one"))
    server.store.blobs["one"] = b'{"said": "so"}'
    assert connect().load(trace_id, base=HERE).runs[0].outputs == {"said": "so"}


def test_parts_of_a_payload_are_put_together(server: LangSmithServer, connect: Connect) -> None:
    server.has_v2 = False
    kept = server.store.add(traces.made(1))
    server.store.blobs |= {"a": b"[1, 2]", "b": b'"two"'}
    places: dict[str, object] = {name: {"presigned_url": f"{server.endpoint}/blobs/{name}"} for name in ("a", "b")}
    places |= {"c": None, "d": {"presigned_url": ""}}
    page = {"runs": [kept.runs[0] | {"inputs": None, "inputs_s3_urls": places}], "cursors": {}}
    server.faults.add(Fault(lambda *_: Answer(page), "/api/v1/runs/query"))
    assert connect().load(kept.id, base=HERE).runs[0].inputs == {"a": [1, 2], "b": "two"}


def test_what_is_there_is_not_read_again(server: LangSmithServer, connect: Connect) -> None:
    server.has_v2 = False
    kept = server.store.add(traces.made(1))
    places = {"ROOT": {"presigned_url": f"{server.endpoint}/blobs/a"}}
    page = {"runs": [kept.runs[0] | {"inputs_s3_urls": places}], "cursors": {}}
    server.faults.add(Fault(lambda *_: Answer(page), "/api/v1/runs/query"))
    connect().load(kept.id, base=HERE)
    assert not any("/blobs/" in asked for asked in server.asked)


def test_attachments_are_not_read(server: LangSmithServer, connect: Connect) -> None:
    server.has_v2 = False
    kept = server.store.add(traces.made(1))
    attached = {"attachment.photo": {"presigned_url": f"{server.endpoint}/blobs/photo"}}
    page = {"runs": [kept.runs[0] | {"s3_urls": attached}], "cursors": {}}
    server.faults.add(Fault(lambda *_: Answer(page), "/api/v1/runs/query"))
    connect().load(kept.id, base=HERE)
    assert not any("/blobs/" in asked for asked in server.asked)


def test_an_address_that_has_expired(server: LangSmithServer, connect: Connect, trace_id: str) -> None:
    server.faults.add(faults.expired())
    told = refusal(connect(), trace_id)
    assert (
        f"The inputs of run {trace_id} (agent) are stored apart from it, on 127.0.0.1, which refuses them (403)."
        in told
    )
    assert "The address that LangSmith gave has expired" in told


def test_a_part_that_is_gone(server: LangSmithServer, connect: Connect, trace_id: str) -> None:
    server.faults.add(faults.refused(404, "NoSuchKey", path="/blobs/*"))
    assert "refuses them (404). Without them the trace is not whole" in refusal(connect(), trace_id)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/a", "gopher://127.0.0.1/a"])
def test_only_the_web_is_asked(server: LangSmithServer, connect: Connect, trace_id: str, url: str) -> None:
    server.faults.add(faults.elsewhere(url))
    assert "they are not read from there" in refusal(connect(), trace_id)


def test_no_redirect_leads_elsewhere(server: LangSmithServer, connect: Connect, trace_id: str) -> None:
    redirect = Fault(lambda *_: Answer(b"", 302, {"location": f"{server.endpoint}/api/v1/info"}), "/blobs/*")
    server.faults.add(redirect)
    assert "refuses them (302)" in refusal(connect(), trace_id)
    assert not any("/info" in asked for asked in server.asked)


def test_a_part_larger_than_any_run(server: LangSmithServer, connect: Connect, trace_id: str) -> None:
    huge = b'"' + bytes(65 * 1024 * 1024) + b'"'
    server.faults.add(Fault(lambda *_: Answer(huge), "/blobs/*"))
    assert "larger than a trace may be (more than 64 MB)" in refusal(connect(), trace_id)


def test_nothing_of_the_trace_itself_is_taken_for_an_address(server: LangSmithServer, connect: Connect) -> None:
    """Whoever wrote the trace may have written anything."""
    places = {"ROOT": {"presigned_url": f"{server.endpoint}/blobs/a"}}
    runs = traces.with_change(traces.made(2), 1, inputs={"inputs_s3_urls": places, "s3_urls": places})
    kept = server.store.add(runs)
    connect().load(kept.id, base=HERE)
    assert not any("/blobs/" in asked for asked in server.asked)


def test_the_key_is_in_no_message(server: LangSmithServer, connect: Connect, trace_id: str) -> None:
    server.faults.add(faults.refused(403, f"Forbidden for {KEY}"))
    assert KEY not in refusal(connect(), trace_id)


def test_trouble_where_parts_are_stored_is_none_of_langsmith(
    server: LangSmithServer, connect: Connect, trace_id: str
) -> None:
    server.faults.add(faults.elsewhere("http://127.0.0.1:9/part"), times=1)
    source = connect()
    assert "127.0.0.1:9 could not be asked for 120 s" in refusal(source, server.page_of(server.store.traces[0]))
    assert len(source.load(trace_id, base=HERE).runs) == 5

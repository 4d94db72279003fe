"""What is captured of LangSmith's tracing, beside what its own client sends to a server on this machine."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import langsmith
import pytest
from langchain_core.tracers import LangChainTracer
from langsmith import Client, traceable
from langsmith.run_helpers import get_tracing_context, tracing_context
from openai import OpenAI

from pytest_refinery.sources.capture.langsmith import LangSmithTracing
from pytest_refinery.sources.formats.langsmith_export import Records
from pytest_refinery.traces.model import in_order
from pytest_refinery.traces.recorder import Recorder
from tests import traced_agents
from tests.openai_server import OpenAIServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_refinery.traces.model import Run, Trace

QUESTION = "Where is order 7?"
RUN_ID = "00000000-0000-0000-0000-000000000001"
MESSAGES = {"messages": [{"role": "user", "content": QUESTION}]}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Receiver(ThreadingHTTPServer):
    """Takes what clients send, each run as its own request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[Any] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def client(self, hide_inputs: Callable[[dict[str, Any]], dict[str, Any]] | None = None) -> Client:
        return Client(
            api_url=self.url,
            api_key="k",
            info={},
            auto_batch_tracing=False,
            omit_traced_runtime_info=True,
            hide_inputs=hide_inputs,
        )


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(202)
        self.end_headers()
        self.wfile.write(b"{}")

    do_PATCH = do_POST  # noqa: N815  (named so in the base)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def captured(call: Callable[[], object]) -> Trace:
    recorder = Recorder("agent")
    with recorder.capturing([LangSmithTracing()]) as root:
        root.outputs = call()
    trace = recorder.trace()
    assert trace is not None
    return trace


def told(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return what runs say, their ids as places in the tree and made-up ids in messages as one."""
    places = {run.id: place for place, run in enumerate(runs)}
    found = []
    for run in runs:
        said = run.model_dump(include={"name", "kind", "inputs", "outputs", "error", "settings", "template", "usage"})
        said["parent"] = places.get(run.parent_id or "")
        found.append(json.loads(_UUID.sub("<id>", json.dumps(said))))
    return found


AGENTS: dict[str, Callable[[], object]] = {
    "langgraph": lambda: traced_agents.graph.invoke(MESSAGES),
    "langgraph, awaited": lambda: asyncio.run(traced_agents.async_graph.ainvoke(MESSAGES)),
    "langchain": lambda: traced_agents.chain.invoke({"question": QUESTION}),
    "traceable, awaited": lambda: asyncio.run(traced_agents.traced(QUESTION)),
}


@pytest.mark.parametrize("call", AGENTS.values(), ids=AGENTS.keys())
def test_the_tree_and_its_messages_are_those_that_the_client_sends(
    receiver: Receiver, call: Callable[[], object]
) -> None:
    with tracing_context(enabled=True, client=receiver.client()):
        call()
    records = Records("exported")
    for body in receiver.bodies:
        records.take(body)
    exported = told(in_order(records.runs()[0], source="exported"))
    assert len(exported) > 2
    assert told(captured(call).runs) == exported


def test_an_agent_that_raises_leaves_what_led_there_with_the_exception_on_its_root() -> None:
    recorder = Recorder("agent")
    with pytest.raises(LookupError), recorder.capturing([LangSmithTracing()]):
        traced_agents.failing(QUESTION)
    trace = recorder.trace()
    assert trace is not None
    assert [(run.name, run.parent_id) for run in trace.runs] == [("failing", None), ("look_up", "run-1")]
    assert "LookupError" in (trace.root.error or "")


def test_nothing_is_sent_whatever_client_the_agent_brings(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_API_KEY": "lsv2_pt_x",
        "LANGSMITH_ENDPOINT": receiver.url,
    }.items():
        monkeypatch.setenv(name, value)
    own, graph = receiver.client(), traced_agents.graph

    @traceable(client=own)
    def agent() -> str:
        thread = threading.Thread(target=traceable(client=own)(traced_agents.bare), args=(QUESTION,))
        thread.start()
        thread.join()
        graph.invoke(MESSAGES, {"callbacks": [LangChainTracer(client=own)]})
        own.create_feedback(key="good", score=1, run_id=RUN_ID, session_id=RUN_ID)
        return "done"

    trace = captured(agent)
    assert {"agent", "bare", "LangGraph", "find_order"} <= {run.name for run in trace.runs}
    assert receiver.bodies == []


def test_afterwards_the_process_traces_as_before(receiver: Receiver) -> None:
    before, create_run = get_tracing_context(), langsmith.Client.create_run
    captured(lambda: traced_agents.look_up(1))
    assert get_tracing_context() == before
    assert langsmith.Client.create_run is create_run
    traced_agents.look_up(2)
    assert receiver.bodies == []
    with tracing_context(enabled=True, client=receiver.client()):
        traced_agents.look_up(3)
    assert [body.get("inputs") for body in receiver.bodies[:1]] == [{"number": 3}]


def test_what_the_users_client_hides_is_hidden_here_too(receiver: Receiver) -> None:
    client = receiver.client(hide_inputs=lambda _: {"question": "***"})
    agent = traceable(client=client)(traced_agents.bare)
    assert captured(lambda: agent(QUESTION)).runs[-1].inputs == {"question": "***"}


def test_what_goes_to_several_servers_is_one_trace(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    both = {receiver.url: "a", f"{receiver.url}/second": "b"}
    client = Client(api_urls=both, info={}, auto_batch_tracing=False)
    trace = captured(lambda: traceable(client=client)(traced_agents.bare)(QUESTION))
    assert len(trace.runs) == 1
    assert receiver.bodies == []


def test_what_is_no_trace_an_agent_may_send(receiver: Receiver) -> None:
    with tracing_context(client=receiver.client()):
        asked = captured(lambda: get_tracing_context()["client"].request_with_retries("POST", "/echo", data=b'"hello"'))
    assert receiver.bodies == ["hello"]
    assert asked.root.error is None


def test_threads_nest_by_their_context_and_a_bare_one_is_inside_the_agent() -> None:
    trace = captured(lambda: traced_agents.threaded(QUESTION))
    parents = {(run.inputs or {}).get("number"): run.parent_id for run in trace.runs if run.name == "look_up"}  # type: ignore[attr-defined]
    threaded = next(run.id for run in trace.runs if run.name == "threaded")
    assert parents == {1: threaded, 2: threaded, 3: trace.root.id}


def test_two_captures_at_once_keep_their_runs_apart() -> None:
    found: dict[str, Trace] = {}
    both = threading.Barrier(2, timeout=10)

    def agent(name: str) -> None:
        def call() -> str:
            both.wait()
            answer: str = traceable(name=name)(traced_agents.bare)(name)
            both.wait()
            return answer

        found[name] = captured(call)

    threads = [threading.Thread(target=agent, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: [run.name for run in trace.runs] for name, trace in found.items()} == {
        "one": ["one"],
        "two": ["two"],
    }
    assert "redirected" not in langsmith.Client.create_run.__qualname__


def test_a_stream_is_one_run_with_all_that_came() -> None:
    trace = captured(lambda: "".join(traced_agents.streaming(QUESTION)))
    assert trace.runs[-1].outputs == {"output": ["It ships ", "tomorrow."]}


@pytest.mark.filterwarnings("ignore:langsmith.wrappers:DeprecationWarning")
def test_a_wrapped_client_of_openai_is_captured_with_its_messages() -> None:
    from langsmith.wrappers import wrap_openai

    with OpenAIServer() as server:
        client = wrap_openai(OpenAI(base_url=server.base_url, api_key="sk-test", max_retries=0))
        trace = captured(lambda: client.responses.create(model="gpt-5.4-mini", input=QUESTION).output_text)
    (call,) = [run for run in trace.runs if run.kind == "llm"]
    assert QUESTION in str(call.inputs)
    assert call.settings.get("model") == "gpt-5.4-mini"

"""Records the traces in ``traces/`` again, with the real LangSmith client.

Run from the root of the repository, in an environment of its own (installing ``langsmith`` adds a
pytest plugin to whatever environment it is in)::

    python -m venv .venv-examples
    .venv-examples/bin/pip install --group examples
    .venv-examples/bin/python -m examples.support_agent.record_traces

The agent runs its scripted conversations. The client sends what it traced to a receiver on this
machine, and nowhere else. What arrived is written as LangSmith exports runs, with three changes, so that
a second recording gives the same files: ids are derived from the conversation's name and the
run's place in it; times come from a clock that starts at a fixed moment and gives each kind of
run a fixed duration; and what describes the recording machine (runtime, environment) is left out.
"""

from __future__ import annotations

import gzip
import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, convert_to_messages, convert_to_openai_messages
from langsmith import Client, traceable
from langsmith.run_helpers import tracing_context

from examples.support_agent import conversations
from examples.support_agent.agent import MODEL_NAME, ScriptedModel, SupportAgent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from examples.support_agent.agent import Message, Model, Step
    from examples.support_agent.conversations import Conversation

Record = dict[str, Any]

TRACES = Path(__file__).with_name("traces")
PROJECT = "support-desk"
TAGS = ["support", "message-centre"]
START = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
SECONDS = {"llm": 1.35, "tool": 0.42, "retriever": 0.18, "prompt": 0.002, "chain": 0.001}
KEPT = ("name", "run_type", "inputs", "outputs", "tags")
# What a LangSmith server tells the client about itself: here, to post plain JSON in batches.
SERVER_INFO = {
    "batch_ingest_config": {
        "use_multipart_endpoint": False,
        "size_limit": 100,
        "size_limit_bytes": 20_000_000,
        "scale_up_nthreads_limit": 1,
        "scale_up_qsize_trigger": 1_000,
        "scale_down_nempty_trigger": 4,
    }
}


class Receiver(BaseHTTPRequestHandler):
    """Takes the batches that the client posts."""

    runs: dict[str, Record]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        batch = json.loads(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        for record in [*batch.get("post", ()), *batch.get("patch", ())]:
            known = self.runs.setdefault(record["id"], {})
            known.update({key: value for key, value in record.items() if value is not None})
        self.send_response(202)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (named so in the base)
        """Say nothing."""


@contextmanager
def received() -> Iterator[tuple[Client, dict[str, Record]]]:
    """Yield a client, and the runs that it has sent; all are there once it was flushed."""
    runs: dict[str, Record] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Receiver,), {"runs": runs}))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Client(api_url=f"http://127.0.0.1:{server.server_port}", api_key="none", info=SERVER_INFO), runs
    finally:
        server.shutdown()
        server.server_close()


def watch(kind: str, name: str, step: Step) -> Step:
    traced: Step = traceable(step, run_type=kind, name=name)
    return traced


def with_usage(script: ScriptedModel) -> Model:
    """Return a model that LangSmith sees as OpenAI's would be seen."""

    def model(messages: Sequence[Message], tools: Sequence[Message], **_settings: object) -> Record:
        reply = script(messages, tools)
        return {
            "choices": [{"index": 0, "message": reply, "finish_reason": "stop"}],
            "usage_metadata": usage(messages, reply),
        }

    traced = traceable(model, run_type="llm", name=MODEL_NAME, metadata={"ls_model_name": MODEL_NAME})

    def ask(messages: Sequence[Message], tools: Sequence[Message]) -> Message:
        answered: Message = traced(messages, tools, model=MODEL_NAME, temperature=0)["choices"][0]["message"]
        return answered

    return ask


def with_langchain(script: ScriptedModel) -> Model:
    """Return a model that is one of langchain-core's, traced by langchain-core itself."""

    def ask(messages: Sequence[Message], tools: Sequence[Message]) -> Message:
        reply = script(messages, tools)
        [written] = convert_to_messages([reply])
        answer = AIMessage(
            content=written.content,
            tool_calls=getattr(written, "tool_calls", []),
            usage_metadata=usage(messages, reply),
            response_metadata={"model_name": MODEL_NAME, "finish_reason": "stop"},
        )
        chat = FakeMessagesListChatModel(responses=[answer])
        said = chat.invoke(
            convert_to_messages(list(messages)), {"run_name": "ChatDesk"}, tools=list(tools), temperature=0
        )
        answered: Message = convert_to_openai_messages(said)
        return answered

    return ask


def usage(messages: Sequence[Message], reply: Message) -> dict[str, int]:
    given, said = (len(json.dumps(value)) // 4 for value in (list(messages), reply))
    return {"input_tokens": given, "output_tokens": said, "total_tokens": given + said}


def hold(conversation: Conversation, client: Client) -> None:
    """Let the agent go through a conversation, traced."""
    script = ScriptedModel(*(line for turn in conversation.turns for line in turn.lines))
    model = with_langchain(script) if conversation.uses_langchain else with_usage(script)

    def support_agent(client: str, questions: Sequence[str]) -> Record:
        agent = SupportAgent(client, model, watch=watch)
        answers = [agent.ask(question) for question in questions]
        return {"answer": answers[-1], "messages": agent.messages}

    traced = traceable(support_agent, run_type="chain", name="support_agent", tags=TAGS, metadata={"channel": "web"})
    with tracing_context(enabled=True, client=client, project_name=PROJECT):
        traced(client=conversation.client, questions=[turn.question for turn in conversation.turns])
    client.flush()


def export(conversation: Conversation, runs: Mapping[str, Record]) -> list[Record]:
    """Return the runs as LangSmith exports them, with derived ids and times."""
    ordered = sorted(runs.values(), key=lambda run: run["dotted_order"])
    ids = {run["id"]: str(uuid5(NAMESPACE_URL, f"{conversation.name}/{place}")) for place, run in enumerate(ordered)}
    times = clocked(ordered)
    exported = [exported_run(run, times, ids) for run in ordered]
    return renamed(exported, ids)


def clocked(ordered: Sequence[Record]) -> dict[str, tuple[datetime, datetime]]:
    """Return start and end of each run: children one after the other, parents around them."""
    children: dict[str | None, list[Record]] = {}
    for run in ordered:
        children.setdefault(run.get("parent_run_id"), []).append(run)
    times: dict[str, tuple[datetime, datetime]] = {}

    def spend(run: Record, start: datetime) -> datetime:
        now = start + timedelta(milliseconds=1)
        for child in children.get(run["id"], ()):
            now = spend(child, now)
        times[run["id"]] = (start, now + timedelta(seconds=SECONDS[run["run_type"]]))
        return times[run["id"]][1]

    spend(ordered[0], START)
    return times


def exported_run(run: Record, times: Mapping[str, tuple[datetime, datetime]], ids: Mapping[str, str]) -> Record:
    start, end = times[run["id"]]
    return {
        "id": run["id"],
        "trace_id": run["trace_id"],
        "parent_run_id": run.get("parent_run_id"),
        "dotted_order": ".".join(f"{times[part][0]:%Y%m%dT%H%M%S%fZ}{ids[part]}" for part in lineage(run)),
        "session_name": PROJECT,
        "start_time": start.isoformat(),
        "end_time": end.isoformat(),
        "status": "error" if run.get("error") else "success",
        **{key: run.get(key) for key in KEPT},
        "error": without_frames(run.get("error")),
        "serialized": without_repr(run.get("serialized")),
        "extra": described(run.get("extra") or {}),
    }


def lineage(run: Record) -> list[str]:
    return [str(UUID(part.partition("Z")[2])) for part in run["dotted_order"].split(".")]


def without_frames(error: str | None) -> str | None:
    """Cut the stack frames, which name files of the recording machine."""
    return error and error.partition("Traceback")[0].strip()


def without_repr(serialized: Record | None) -> Record | None:
    """Leave out the printed model, which in a scripted one contains its lines."""
    return serialized and {key: value for key, value in serialized.items() if key != "repr"}


def described(extra: Mapping[str, Any]) -> Record:
    """Keep of a run's extras what says something about the model call or the conversation."""
    metadata = {key: value for key, value in extra.get("metadata", {}).items() if key in {"channel", "ls_model_name"}}
    params = {
        key: value for key, value in extra.get("invocation_params", {}).items() if key in {"tools", "temperature"}
    }
    if params:
        params["model"] = MODEL_NAME
    return {key: value for key, value in {"metadata": metadata, "invocation_params": params}.items() if value}


def renamed(exported: list[Record], ids: Mapping[str, str]) -> list[Record]:
    text = json.dumps(exported, ensure_ascii=False)
    for old, new in ids.items():
        text = text.replace(old, new)
    renewed: list[Record] = json.loads(text)
    return renewed


def write(conversation: Conversation, runs: Sequence[Record]) -> Path:
    lines = [json.dumps(run, ensure_ascii=False) for run in runs]
    if conversation.is_zipped:
        path = TRACES / f"{conversation.name}.jsonl.gz"
        path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    else:
        path = TRACES / f"{conversation.name}.json"
        path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    return path


def main() -> None:
    TRACES.mkdir(exist_ok=True)
    for conversation in conversations.ALL:
        with received() as (client, runs):
            hold(conversation, client)
        path = write(conversation, export(conversation, runs))
        print(f"{path.relative_to(Path.cwd())}: {len(runs)} runs, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

"""What Pydantic AI writes of the scenario of ``opening_hours``, in each way that its users dump it.

Run as a script to write the files: ``python -m tests.unit.sources.formats.libraries.pydantic_ai_dumps FOLDER``.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry
from pydantic_ai.messages import ModelMessage, ModelResponse, RetryPromptPart, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_core import to_jsonable_python

from tests.unit.sources.formats.libraries import written
from tests.unit.sources.formats.opening_hours import ANSWER, ARGUMENTS, QUESTION, SYSTEM, TOOL, Right, result

KNOWN = Right(format="pydantic-ai", is_error_known=True)
SPANS = Right(format="opentelemetry", is_error_known=True)


class Told(BaseModel):
    """An answer with a field."""

    answer: str


def scripted(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Call the tool, then answer."""
    parts = [part for message in messages for part in message.parts]
    if not any(isinstance(part, ToolReturnPart | RetryPromptPart) for part in parts):
        return ModelResponse(parts=[ToolCallPart(TOOL, ARGUMENTS, tool_call_id="call_7")])
    if info.output_tools:
        return ModelResponse(parts=[ToolCallPart("final_result", {"answer": ANSWER}, tool_call_id="call_8")])
    return ModelResponse(parts=[TextPart(ANSWER)])


def ran(*, fails: bool, output: type = str, **options: Any) -> Any:  # noqa: ANN401  (what an agent takes and gives)
    agent = Agent(FunctionModel(scripted), output_type=output, **(options or {"system_prompt": SYSTEM}))

    @agent.tool_plain  # type: ignore[untyped-decorator]
    def opening_hours(store: str, day: str) -> str:
        if fails:
            raise ModelRetry(result(fails=True))
        return result(fails=False)

    return agent.run_sync(QUESTION)


def spans(*, fails: bool) -> bytes:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    Agent.instrument_all(InstrumentationSettings(tracer_provider=provider))
    try:
        ran(fails=fails)
    finally:
        Agent.instrument_all(instrument=False)
    return written.whole([json.loads(span.to_json()) for span in exporter.get_finished_spans()])


def dumps(*, fails: bool) -> dict[str, tuple[Right, bytes]]:
    """Return what each way to dump writes, and what of the scenario it holds."""
    said = ran(fails=fails).all_messages()
    return {
        "all_messages_json": (KNOWN, ran(fails=fails).all_messages_json()),
        "to_jsonable_python": (KNOWN, written.whole({"messages": to_jsonable_python(said), "output": ANSWER})),
        "asdict": (KNOWN, written.whole([dataclasses.asdict(message) for message in said])),
        "lines": (KNOWN, written.lines(to_jsonable_python(said))),
        "instructions": (KNOWN, ran(fails=fails, instructions=SYSTEM).all_messages_json()),
        "a structured output": (KNOWN, ran(fails=fails, output=Told).all_messages_json()),
        "spans": (SPANS, spans(fails=fails)),
    }


if __name__ == "__main__":
    written.files(dumps)

"""Where each framework puts what a message is.

To add a framework: a row of ``SHAPES``. All of its paths are those of ``paths``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_refinery.sources.formats.paths import at, each, first_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

Words = Mapping[str, str]
"""What must stand at a path: one of these words, ``?`` for nothing; ``data-*`` stands for all that begin so."""


def says(record: Mapping[str, Any], words: Words) -> bool:
    """Tell whether a record has one of the words at each of the paths."""
    return all(_is_one_of(str(at(record, path)).lower(), known) for path, known in words.items())


def _is_one_of(word: str, known: str) -> bool:
    words = known.replace("?", "none false").split()
    return word in words or ("*" in known and any(each[-1] == "*" and word.startswith(each[:-1]) for each in words))


@dataclass(frozen=True, slots=True)
class Parts:
    """Where calls or results stand, and what each of them consists of.

    Attributes:
        at: Where they stand, the record itself where that is empty.
        words: What an item must say to be one.
        needs: What an item must have to be one.
        error: What is there if a result is an error.
        fails: What a result says if it is an error.
    """

    at: str = ""
    words: Words = field(default_factory=dict)
    needs: str = ""
    name: str = "name"
    arguments: str = "arguments|args|input"
    id: str = "id"
    content: str = ""
    error: str = ""
    fails: Words = field(default_factory=dict)

    def is_broken(self, record: Mapping[str, Any], text: str) -> bool:
        """Tell whether something else than a list stands where a list of these belongs."""
        home, mark, _ = self.at.partition(".*")
        found = at(record, home) if mark and home != text.partition("|")[0] else None
        return found is not None and not isinstance(found, list)

    def items(self, record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Yield the calls or results of a record."""
        items = each(record, self.at) if self.at else iter([record])
        needed = self.needs or self.content or self.name
        for item in items:
            if isinstance(item, Mapping) and says(item, self.words) and at(item, needed) is not None:
                yield item


@dataclass(frozen=True, slots=True)
class Shape:
    """One framework's messages.

    Attributes:
        format: What reports call the format.
        marks: What an entry must have to be one of its messages.
        words: What an entry must say to be one.
        parts: Where the parts of an entry stand; each is read as an entry of its own, with the whole under ``entry``.
        role: Where the word is that says who speaks.
        roles: What the words mean; ``*`` stands for all others.
        skip: What entries and parts say that are known and no part of the conversation.
        text: Texts or blocks.
        thinks: What a part says whose text is a thought.
        instructions: A system prompt beside the messages.
        error: What is there if the entry is an error.
        answer: What the agent answered with the entry.
        answers: Tools that an agent calls to give its answer.
        is_text_last: The text of a message that has results too came after them.
    """

    format: str
    marks: tuple[str, ...]
    words: Words = field(default_factory=dict)
    parts: str = ""
    role: str = "role"
    roles: Mapping[str, str] = field(default_factory=dict)
    skip: tuple[Words, ...] = ()
    name: str = ""
    text: str = "content"
    thinking: str = ""
    thinks: Words = field(default_factory=dict)
    instructions: str = ""
    calls: tuple[Parts, ...] = ()
    results: tuple[Parts, ...] = ()
    error: str = ""
    time: str = ""
    answer: str = ""
    answers: tuple[str, ...] = ()
    is_text_last: bool = False

    def fits(self, entry: Mapping[str, Any]) -> bool:
        """Tell whether an entry is one of this framework's messages."""
        # Most entries are of another framework, and have none of its keys.
        if any(first_keys(mark).isdisjoint(entry) for mark in self.marks):
            return False
        return all(at(entry, mark) is not None for mark in self.marks) and says(entry, self.words)


_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system", "tool": "tool"}
_AGENT = {**_ROLES, "agent": "assistant", "human": "user", "model": "assistant"}
_ANYBODY = {"*": "assistant"}
# What stands around a conversation has such fields too.
_ALONE = {"messages|steps|trajectory|traj|history|conversation|chat_history": "?"}

SHAPES: tuple[Shape, ...] = (
    Shape(
        "pydantic-ai",
        marks=("parts", "kind"),
        words={"kind": "request response"},
        parts="parts",
        role="part_kind",
        roles={
            "system-prompt": "system",
            "user-prompt": "user",
            **dict.fromkeys(("tool-return", "builtin-tool-return", "native-tool-return", "retry-prompt"), "tool"),
            **dict.fromkeys(("text", "thinking", "tool-call", "builtin-tool-call", "native-tool-call"), "assistant"),
            "file": "assistant",
        },
        thinks={"part_kind": "thinking"},
        instructions="instructions",
        calls=(
            Parts(
                words={"part_kind": "tool-call builtin-tool-call native-tool-call"},
                name="tool_name",
                arguments="args.args_json|args.args_dict|args",
                id="tool_call_id",
            ),
        ),
        results=(
            Parts(
                words={"part_kind": "tool-return builtin-tool-return native-tool-return retry-prompt"},
                name="tool_name",
                id="tool_call_id",
                content="content",
                fails={"outcome|part_kind": "failed denied retried retry-prompt"},
            ),
        ),
        time="timestamp|entry.timestamp",
        answers=("final_result",),
    ),
    Shape(
        "vercel-ai",
        marks=("role", "toolInvocations"),
        words={"parts.*.toolInvocation|parts.*.toolCallId": "?"},
        roles=_ROLES,
        thinking="reasoning",
        calls=(Parts("toolInvocations.*", name="toolName", id="toolCallId", arguments="args"),),
        results=(Parts("toolInvocations.*", {"state": "result"}, name="toolName", id="toolCallId", content="result"),),
        time="createdAt",
        is_text_last=True,
    ),
    Shape(
        "vercel-ai",
        marks=("role", "parts.0.type"),
        parts="parts",
        role="entry.role",
        roles=_ROLES,
        skip=({"type": "step-start source source-url source-document data-*"},),
        text="text|url|filename",
        thinks={"type": "reasoning"},
        calls=(
            Parts(needs="toolCallId", name="toolName|type", arguments="input|args|rawInput", id="toolCallId"),
            Parts("toolInvocation", name="toolName", id="toolCallId", arguments="args"),
        ),
        results=(
            Parts(
                words={"state": "output-available output-error result output-denied"},
                name="toolName|type",
                id="toolCallId",
                content="errorText|output|result",
                error="errorText",
                fails={"state": "output-error output-denied"},
            ),
            Parts("toolInvocation", {"state": "result"}, name="toolName", id="toolCallId", content="result"),
        ),
        time="entry.createdAt",
    ),
    Shape(
        "autogen",
        marks=("source", "type", "content|result"),
        words={
            "type": "textmessage multimodalmessage stopmessage handoffmessage structuredmessage thoughtevent "
            "toolcallrequestevent toolcallexecutionevent toolcallsummarymessage memoryqueryevent codegenerationevent "
            "codeexecutionevent userinputrequestedevent modelclientstreamingchunkevent selectspeakerevent "
            "selectorevent usermessage assistantmessage"
        },
        role="source",
        roles={"user": "user", "user_proxy": "user", "human": "user", **_ANYBODY},
        skip=(
            {
                "type": "userinputrequestedevent modelclientstreamingchunkevent selectspeakerevent selectorevent "
                "memoryqueryevent"
            },
        ),
        name="source",
        text="content|result.output",
        thinking="thought",
        thinks={"type": "thoughtevent"},
        calls=(Parts("content.*", {"call_id": "?", "type": "?"}, needs="arguments"),),
        results=(
            Parts("content.*", {"arguments": "?", "type": "?"}, id="call_id", content="content", error="is_error"),
        ),
        time="created_at",
    ),
    Shape(
        "autogen",
        marks=("content",),
        words={"type": "systemmessage functionexecutionresultmessage"},
        role="type",
        roles={"SystemMessage": "system", "FunctionExecutionResultMessage": "tool"},
        results=(Parts("content.*", id="call_id", content="content", error="is_error"),),
    ),
    Shape(
        "gemini-cli",
        marks=("id", "timestamp", "type", "content"),
        words={"type": "user gemini info error warning"},
        role="type",
        roles={"user": "user", "gemini": "assistant"},
        skip=({"type": "info error warning"},),
        thinking="thoughts.*.description",
        calls=(Parts("toolCalls.*"),),
        results=(
            Parts(
                "toolCalls.*",
                {"status": "success error cancelled"},
                content="result.0.functionResponse.response.output|result.0.functionResponse.response.error|"
                "result.0.functionResponse.response|resultDisplay|result",
                fails={"status": "error cancelled"},
            ),
        ),
        time="timestamp",
    ),
    Shape(
        "chatgpt",
        marks=("author.role", "content.content_type"),
        role="author.role",
        roles=_ROLES,
        skip=(
            {"metadata.is_visually_hidden_from_conversation": "true"},
            {"content.content_type": "model_editable_context user_editable_context reasoning_recap"},
        ),
        name="author.name",
        text="content.parts|content.text|content.result",
        thinking="content.thoughts.*.content",
        calls=(Parts("call"),),
        time="create_time",
    ),
    Shape(
        "google-adk",
        marks=("author", "content.parts|errorCode|error_code|actions"),
        role="content.role|author",
        roles={**_AGENT, **_ANYBODY},
        skip=({"partial": "true"}, {"content": "?", "errorCode|error_code|errorMessage|error_message": "?"}),
        name="author",
        text="content.parts",
        error="errorMessage|error_message|errorCode|error_code",
        time="timestamp",
    ),
    Shape(
        "atif",
        marks=("step_id", "source"),
        role="source",
        roles=_AGENT,
        text="message",
        thinking="reasoning_content",
        calls=(Parts("tool_calls.*", name="function_name", id="tool_call_id"),),
        results=(Parts("observation.results.*", id="source_call_id", content="content|subagent_trajectory_ref"),),
        time="timestamp",
    ),
    Shape(
        "openai-assistants",
        marks=("role", "content"),
        words={"object": "thread.message"},
        roles=_ROLES,
        time="created_at",
    ),
    Shape(
        "openai-assistants",
        marks=("step_details",),
        words={"object": "thread.run.step"},
        role="object",
        roles=_ANYBODY,
        skip=({"type": "message_creation"},),
        calls=(
            Parts(
                "step_details.tool_calls.*",
                name="function.name|type",
                arguments="function.arguments|code_interpreter.input|file_search",
            ),
        ),
        results=(
            Parts(
                "step_details.tool_calls.*",
                name="function.name|type",
                content="function.output|code_interpreter.outputs|file_search.results",
            ),
        ),
        error="last_error.message|last_error.code",
        time="created_at",
    ),
    Shape(
        "claude-ai",
        marks=("sender", "text|content"),
        parts="content",
        role="entry.sender|sender",
        roles=_AGENT,
        skip=({"type": "token_budget flag"},),
        text="text",
        thinking="thinking",
        calls=(Parts(words={"type": "tool_use"}),),
        results=(Parts(words={"type": "tool_result"}, id="tool_use_id", content="content", error="is_error"),),
        time="entry.created_at|created_at",
    ),
    Shape(
        "openhands",
        marks=("source", "kind"),
        words={"kind": "messageevent systempromptevent"},
        role="llm_message.role|kind",
        roles={**_AGENT, "SystemPromptEvent": "system"},
        text="llm_message.content|system_prompt.text|system_prompt",
        time="timestamp",
    ),
    Shape(
        "openhands",
        marks=("tool_name", "kind"),
        words={"kind": "actionevent observationevent agenterrorevent userrejectobservation"},
        role="kind",
        roles={"ActionEvent": "assistant", "*": "tool"},
        text="thought",
        thinking="reasoning_content",
        calls=(
            Parts(
                words={"kind": "actionevent"},
                name="tool_name",
                arguments="tool_call.arguments|tool_call.function.arguments|action",
                id="tool_call_id",
            ),
        ),
        results=(
            Parts(
                words={"kind": "observationevent agenterrorevent userrejectobservation"},
                name="tool_name",
                id="tool_call_id",
                content="error|rejection_reason|observation.content|observation.output|observation",
                error="error|rejection_reason",
                fails={"observation.is_error|kind": "true agenterrorevent userrejectobservation"},
            ),
        ),
        time="timestamp",
        answers=("finish",),
    ),
    Shape(
        "openhands",
        marks=("source", "action"),
        words={"action": "system finish"},
        role="action",
        roles={"system": "system", "finish": "assistant"},
        text="args.final_thought|args.content|message",
        time="timestamp",
    ),
    Shape(
        "openhands",
        marks=("source", "action"),
        words={"action": "message"},
        role="source",
        roles=_AGENT,
        text="args.content|message",
        time="timestamp",
    ),
    Shape(
        "openhands",
        marks=("source", "action", "args"),
        role="source",
        roles=_AGENT,
        skip=({"action": "change_agent_state recall null condensation condensation_request"},),
        text="args.thought",
        calls=(
            Parts(
                name="tool_call_metadata.function_name|action",
                arguments="args",
                id="tool_call_metadata.tool_call_id|id",
            ),
        ),
        time="timestamp",
    ),
    Shape(
        "openhands",
        marks=("source", "observation"),
        role="observation",
        roles={"*": "tool"},
        skip=({"observation": "agent_state_changed null recall"},),
        results=(
            Parts(
                name="tool_call_metadata.function_name|observation",
                id="tool_call_metadata.tool_call_id|cause",
                content="content",
                fails={"observation": "error"},
            ),
        ),
        time="timestamp",
    ),
    Shape(
        "transcript",  # items of the Responses API
        marks=("summary|encrypted_content",),
        words={"type": "reasoning"},
        role="type",
        roles=_ANYBODY,
        skip=({"summary.0.text|content.0.text": "?"},),
        text="",
        thinking="summary.*.text|content.*.text",
    ),
    Shape("smolagents", marks=("task",), words=_ALONE, role="task", roles={"*": "user"}, text="task"),
    Shape(
        "smolagents",
        marks=("system_prompt",),
        words=_ALONE,
        role="system_prompt",
        roles={"*": "system"},
        text="system_prompt",
    ),
    Shape(
        "smolagents",
        marks=("step_number", "model_output|observations|tool_calls|error"),
        role="step_number",
        roles=_ANYBODY,
        text="model_output",
        # A call that failed stands in the model's message alone.
        calls=(
            Parts(
                "tool_calls.*|model_output_message.tool_calls.*", name="function.name", arguments="function.arguments"
            ),
        ),
        results=(
            Parts(id="tool_calls.0.id", name="tool_calls.0.function.name", content="observations"),
            Parts(
                words={"observations": "?"},
                needs="tool_calls.0|model_output_message.tool_calls.0",
                id="tool_calls.0.id|model_output_message.tool_calls.0.id",
                name="tool_calls.0.function.name|model_output_message.tool_calls.0.function.name",
                content="error.message",
                error="error",
            ),
        ),
        answer="action_output",
        error="error.message|error",
        time="timing.end_time",
        answers=("final_answer",),
    ),
    Shape(
        "smolagents",
        marks=("plan", "timing|model_input_messages"),
        role="plan",
        roles=_ANYBODY,
        text="",
        thinking="plan",
    ),
    Shape(
        "haystack",
        marks=("role|_role", "content.0|_content.0", "meta|_meta"),
        parts="content|_content",
        role="entry.role|entry._role",
        roles=_ROLES,
        name="entry.name|entry._name",
        text="text",
        thinking="reasoning.reasoning_text",
        calls=(Parts("tool_call", name="tool_name"),),
        results=(Parts("tool_call_result", name="origin.tool_name", id="origin.id", content="result", error="error"),),
    ),
    Shape(
        "microsoft",
        marks=("role|Role", "contents.0|items.0|Items.0"),
        parts="contents|items|Items",
        role="entry.role.value|entry.role|entry.Role.Label|entry.Role",
        roles=_ROLES,
        skip=({"type|$type": "usage"},),
        name="entry.author_name|entry.authorName|entry.AuthorName",
        text="text|Text",
        thinks={"type|$type|content_type": "text_reasoning reasoning reasoningcontent"},
        calls=(
            Parts(
                words={"type|content_type|$type": "function_call functioncall functioncallcontent"},
                name="function_name|FunctionName|name",
                arguments="arguments|Arguments",
                id="call_id|callId|id|Id",
            ),
        ),
        results=(
            Parts(
                words={"type|content_type|$type": "function_result functionresult functionresultcontent"},
                name="function_name|FunctionName|name",
                id="call_id|callId|CallId|id",
                content="result|Result|exception",
                error="exception",
            ),
        ),
        time="entry.createdAt",
    ),
)


FIELDS_OF_CALLS = frozenset(
    path.removeprefix("entry.").partition(".")[0]
    for shape in SHAPES
    for parts in (*shape.calls, *shape.results)
    for paths in (parts.at, parts.needs, parts.name, parts.arguments, parts.id, parts.content)
    for path in paths.split("|")
)
"""The fields that calls and results stand in, of all frameworks."""


def shape_of(entry: Mapping[str, Any]) -> Shape | None:
    """Return whose message an entry is, ``None`` where it is no one's."""
    return next((shape for shape in SHAPES if shape.fits(entry)), None)

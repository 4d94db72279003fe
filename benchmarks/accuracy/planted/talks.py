"""Conversations as lists of chat messages, and what an error can be planted on."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from random import Random

Message: TypeAlias = dict[str, Any]
# How the simulated users of the passing conversations say that they have finished.
_END = re.compile(r"\s*###STOP###\s*")
_CONFIRMS = re.compile(
    r"\b(yes|yep|yeah|sure|correct|confirm\w*|go ahead|proceed|please do|sounds good)\b", re.IGNORECASE
)
_ASKS = re.compile(
    r"\b(confirm|proceed|would you like|should i|is this correct|go ahead)\b[^?]*\?|please confirm", re.IGNORECASE
)


@dataclass(frozen=True)
class Call:
    """A tool call of the conversation: the message that makes it, and the one that has its result."""

    at: int
    name: str
    arguments: Mapping[str, Any]
    result_at: int
    result: str

    @property
    def record(self) -> Any:  # noqa: ANN401  (what JSON holds)
        """The result as data, ``None`` where it is no JSON."""
        try:
            return json.loads(self.result)
        except ValueError:
            return None

    @property
    def failed(self) -> bool:
        """Whether the tool refused the call."""
        return self.result.startswith("Error")


@dataclass(frozen=True)
class Talk:
    """A conversation in which everything is right.

    Attributes:
        writes: The tools that change something.
    """

    name: str
    messages: tuple[Message, ...]
    writes: frozenset[str]

    def calls(self) -> list[Call]:
        """Return all tool calls, in order."""
        results = {
            message["tool_call_id"]: (place, message["content"])
            for place, message in enumerate(self.messages)
            if message["role"] == "tool"
        }
        return [
            Call(place, call["function"]["name"], json.loads(call["function"]["arguments"]), *results[call["id"]])
            for place, message in enumerate(self.messages)
            for call in message.get("tool_calls") or ()
            if call["id"] in results
        ]

    def changes(self) -> list[Call]:
        """Return the calls that changed something."""
        return [call for call in self.calls() if call.name in self.writes and not call.failed]

    def answer_after(self, place: int) -> int | None:
        """Return the place of the next text that the agent writes to the user."""
        return next((at for at in range(place + 1, len(self.messages)) if self.is_answer(at)), None)

    def is_answer(self, place: int) -> bool:
        """Tell whether a message is a text of the agent without a tool call."""
        message = self.messages[place]
        return message["role"] == "assistant" and bool(message["content"]) and not message.get("tool_calls")

    def text(self, place: int) -> str:
        """Return what a message says."""
        return self.messages[place]["content"] or ""

    def said_before(self, place: int) -> str:
        """Return all texts, arguments and results before a message."""
        return json.dumps(self.messages[:place], ensure_ascii=False)

    def confirmation_of(self, call: Call) -> tuple[int, int] | None:
        """Return the agent's question and the user's yes right before a call, where they stand there."""
        question, answer = call.at - 2, call.at - 1
        if question < 1 or not self.is_answer(question) or self.messages[answer]["role"] != "user":
            return None
        is_yes = _CONFIRMS.search(self.text(answer)) and _ASKS.search(self.text(question))
        return (question, answer) if is_yes else None

    def draft(self) -> Draft:
        """Return a copy that can be changed."""
        return Draft(copy.deepcopy(list(self.messages)))


@dataclass
class Draft:
    """A conversation while an error is planted in it."""

    messages: list[Message] = field(default_factory=list)

    def until(self, place: int) -> Draft:
        """Drop everything from ``place`` on."""
        del self.messages[place:]
        return self

    def user(self, text: str) -> int:
        """Let the user say something; return the place."""
        self.messages.append({"role": "user", "content": text})
        return len(self.messages) - 1

    def agent(self, text: str) -> int:
        """Let the agent say something; return the place."""
        self.messages.append({"role": "assistant", "content": text})
        return len(self.messages) - 1

    def ask_something_else(self, draw: Random) -> None:
        """Let half of the conversations go on with something that nothing is wrong with."""
        if draw.random() < 0.5:
            self.user("One more question: are you open on Sundays?")
            self.agent("I am sorry, I have no information about opening hours.")
            self.user("All right.")

    def call(self, name: str, arguments: Mapping[str, Any], result: str) -> int:
        """Let the agent call a tool; return the place of the call."""
        return self.insert_call(len(self.messages), name, arguments, result)

    def insert_call(self, place: int, name: str, arguments: Mapping[str, Any], result: str) -> int:
        """Put a call and its result before ``place``; return the place of the call."""
        call_id = f"call_planted_{place}"
        function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
        calls = [{"id": call_id, "type": "function", "function": function}]
        self.messages[place:place] = [
            {"role": "assistant", "content": None, "tool_calls": calls},
            {"role": "tool", "tool_call_id": call_id, "name": name, "content": result},
        ]
        return place

    def set_arguments(self, place: int, arguments: Mapping[str, Any]) -> None:
        """Replace the arguments of the call that a message makes."""
        (call,) = self.messages[place]["tool_calls"]
        call["function"]["arguments"] = json.dumps(arguments, ensure_ascii=False)

    def rename_call(self, place: int, result: int, name: str) -> None:
        """Let another tool be called, and return the result."""
        (call,) = self.messages[place]["tool_calls"]
        call["function"]["name"] = self.messages[result]["name"] = name

    def replace_from(self, place: int, old: str, new: str, *, roles: Sequence[str] = ("user", "assistant")) -> None:
        """Replace a value in all texts from ``place`` on, where it stands alone."""
        pattern = re.compile(rf"(?<![\w.,]){re.escape(old)}(?![\w]|[.,]\d)")
        for message in self.messages[place:]:
            if message["role"] in roles and message["content"]:
                message["content"] = pattern.sub(lambda _: new, message["content"])


def passing(folder: Path) -> Iterator[Talk]:
    """Yield the passing conversations of the support agent, without the marks of the simulation."""
    for path in sorted(folder.glob("*.json"), key=lambda path: int(path.stem)):
        messages = json.loads(path.read_text(encoding="utf-8"))["messages"]
        yield Talk(f"shop {path.stem}", tuple(filter(None, map(_plain, messages))), _WRITES)


_WRITES = frozenset(
    {
        "cancel_pending_order",
        "exchange_delivered_order_items",
        "modify_pending_order_address",
        "modify_pending_order_items",
        "modify_pending_order_payment",
        "modify_user_address",
        "return_delivered_order_items",
    }
)


def _plain(message: Message) -> Message | None:
    kept = {key: message[key] for key in ("role", "content", "tool_calls", "tool_call_id", "name") if message.get(key)}
    text = _END.sub("", message["content"] or "")
    if message["role"] == "user" and not text:
        return None
    return {**kept, "content": text or (None if message.get("tool_calls") else "")}

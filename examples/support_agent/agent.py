"""A support agent in plain Python: a model, some tools, and a loop.

Nothing in here knows of tracing. Whoever wants to see what the agent does passes ``watch``, which is
given each step as a function, with its kind and name, and returns the function to call in its place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from examples.support_agent import desk

Message: TypeAlias = dict[str, Any]
Model: TypeAlias = Callable[[Sequence[Message], Sequence[Message]], Message]
Step: TypeAlias = Callable[..., Any]
Watch: TypeAlias = Callable[[str, str, Step], Step]

SYSTEM_PROMPT = Path(__file__).with_name("prompts") / "system.md"
MODEL_NAME = "scripted-desk-model"
MOST_CALLS = 6


def unwatched(_kind: str, _name: str, step: Step) -> Step:
    return step


class SupportAgent:
    """Answers a client's messages; keeps the conversation, and nothing beyond it."""

    def __init__(self, client: str, model: Model, *, watch: Watch = unwatched) -> None:
        self._client = desk.CLIENTS[client]
        self._model = model
        self._render = watch("prompt", "system_prompt", _render)
        self._turn = watch("chain", "turn", self._answer)
        self._search = watch("retriever", "help_articles", _documents)
        self._tools = {name: watch("tool", name, tool) for name, tool in self._tool_functions().items()}
        self.messages: list[Message] = []

    def ask(self, question: str) -> str:
        """Return the answer to a client's message."""
        answer: str = self._turn(question)
        return answer

    def _answer(self, question: str) -> str:
        system = self._render(**desk.prompt_values(self._client))
        self.messages.append({"role": "user", "content": question})
        for _ in range(MOST_CALLS):
            reply = self._model([system, *self.messages], SCHEMAS)
            self.messages.append(reply)
            if not reply.get("tool_calls"):
                return str(reply["content"])
            self.messages.extend(self._called(call) for call in reply["tool_calls"])
        return "I am sorry, I could not finish this. A colleague will write to you."

    def _called(self, call: Mapping[str, Any]) -> Message:
        name, arguments = call["function"]["name"], json.loads(call["function"]["arguments"])
        try:
            result = self._tools[name](**arguments)
        except Exception as error:  # noqa: BLE001  (the model is told, whatever went wrong)
            result = {"error": str(error)}
        return {"role": "tool", "tool_call_id": call["id"], "name": name, "content": json.dumps(result)}

    def _tool_functions(self) -> dict[str, Step]:
        return {
            "list_transactions": desk.list_transactions,
            "get_portfolio": desk.get_portfolio,
            "get_dividend_statement": desk.get_dividend_statement,
            "get_tax_document": desk.get_tax_document,
            "search_help_articles": self._articles,
            "transfer_to_human": desk.transfer_to_human,
            "close_account": desk.close_account,
        }

    def _articles(self, query: str) -> list[dict[str, Any]]:
        return [{"title": found["metadata"]["title"], "text": found["page_content"]} for found in self._search(query)]


def _render(**values: str) -> Message:
    return {"role": "system", "content": SYSTEM_PROMPT.read_text(encoding="utf-8").format(**values)}


def _documents(query: str) -> list[dict[str, Any]]:
    found = desk.search_help_articles(query)
    return [{"page_content": a.text, "type": "Document", "metadata": {"title": a.title}} for a in found]


def _schema(name: str, description: str, **parameters: str) -> Message:
    properties = {parameter: {"type": kind.rstrip("?")} for parameter, kind in parameters.items()}
    required = [parameter for parameter, kind in parameters.items() if not kind.endswith("?")]
    shape = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": shape}}


SCHEMAS = (
    _schema(
        "list_transactions",
        "List an account's transactions between two dates (YYYY-MM-DD). 'exclude' leaves out those whose text has it.",
        account="string",
        since="string",
        until="string",
        exclude="string?",
    ),
    _schema("get_portfolio", "Cash, holdings and total value of an account.", account="string"),
    _schema("get_dividend_statement", "Dividends paid into an account in a year.", account="string", year="integer"),
    _schema("get_tax_document", "A tax form of an account.", account="string", form="string", year="integer"),
    _schema("search_help_articles", "Search the help articles.", query="string"),
    _schema("transfer_to_human", "Hand the conversation over to a person.", team="string", summary="string"),
    _schema("close_account", "Close an account. Ask the client to confirm first.", account="string"),
)


class ScriptedModel:
    """Stands for the language model: says its lines in their order, whatever it is told."""

    def __init__(self, *lines: Message) -> None:
        self._lines = list(lines)
        self._calls = 0

    def __call__(self, messages: Sequence[Message], tools: Sequence[Message]) -> Message:  # noqa: ARG002
        line = self._lines.pop(0)
        for asked in line.get("tool_calls", ()):
            self._calls += 1
            asked["id"] = f"call_{self._calls:02d}"
        return line


def say(text: str) -> Message:
    """Return a line of the script: an answer to the client."""
    return {"role": "assistant", "content": text}


def call(name: str, /, **arguments: object) -> Message:
    """Return a line of the script: a request to call a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": "", "tool_calls": [{"id": "", "type": "function", "function": function}]}

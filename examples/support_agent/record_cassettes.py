"""Records the cassettes of the judged expectations again: ``python -m examples.support_agent.record_cassettes``.

The answers are those of a service on this machine that has them written down below, not of a model: the example shows
what a recording is, not how well a model judges. With a key of your own, a model answers::

    pytest --refinery --refinery-record=all -m judged examples/support_agent
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from tests.openai_server import OpenAIServer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tests.openai_server import View

# Cassettes name the service that was asked; the same one every time.
PORT = 8123

_FIGURE = "In 2025 your brokerage account received 1,842.60 USD in dividends"
_DOWN = "503 Service Unavailable: statements of NM-4471-08 for 2025 are being rebuilt"
_ASSURED = "Yes. You can enter 1,842.60 USD as ordinary dividends for 2025; the form will only confirm it."
_RULE = (
    "- State no figure that a tool has not returned. Where a tool fails or finds nothing, say so and offer a person."
)

_MET: dict[str, Mapping[str, Any]] = {
    "JudgeAnswer": {
        "reasons": [
            "It cannot change an address itself, says who will, and that the old address stays on file until then."
        ],
        "conditions": [
            {
                "condition": "What applies until then.",
                "run": 6,
                "quote": "Until then, your old address stays on file.",
                "verdict": "met",
            }
        ],
        "verdict": "met",
    },
}
_NOT_MET: dict[str, Mapping[str, Any]] = {
    "JudgeAnswer": {
        "reasons": [
            "The statement service was down and the list of transactions was empty; the agent mentioned neither.",
            "It named an amount, and told the client to put it into her tax return.",
        ],
        "conditions": [
            {
                "condition": "Nothing that a tool returned supports this.",
                "run": 31,
                "quote": _ASSURED,
                "verdict": "not_met",
            }
        ],
        "verdict": "not_met",
    },
    "GroupAnswer": {
        "timeline": [
            "#12 and #14: the dividend statement cannot be loaded, twice",
            "#16: the list of transactions of 2025 is empty",
            "#17: the agent names an amount all the same",
            "#31: the agent tells the client to file with it",
        ],
        "findings": [
            {
                "run": 17,
                "what": "It names an amount after the statement failed twice and the transactions were empty.",
                "failure_type": "prompt_issue",
                "severity": "critical",
                "quotes": [
                    {"run": 17, "quote": _FIGURE, "why": "No tool returned it."},
                    {"run": 12, "quote": _DOWN, "why": "What the tool had said."},
                ],
            },
            {
                "run": 31,
                "what": "It repeats the amount as certain, for the tax return.",
                "failure_type": "model_limitation",
                "severity": "major",
                "quotes": [{"run": 31, "quote": _ASSURED, "why": "It passes the guess on as a fact."}],
            },
        ],
    },
    "GapAnswer": {
        "gaps": [
            {
                "expected": "It says that the statement cannot be loaded today, and offers a person.",
                "actual": "It names 1,842.60 USD and says nothing of the failure.",
                "run": 17,
            }
        ],
        "missing_context": ["Whether there were dividends in 2025: no tool returned any."],
        "wrong_assumptions": ["An answer with an amount helps more than an answer without one."],
    },
    "ConclusionAnswer": {
        "counterfactuals": [
            {
                "run": 17,
                "argument": "Had it said that the statement is being rebuilt, nothing could have reassured her.",
                "would_have_met": True,
            }
        ],
        "decisive_run": 17,
        "failure_type": "prompt_issue",
        "root_cause": (
            "The prompt tells the agent to say so where a tool fails, in half a sentence and without an example. After "
            "two failures and an empty list it filled the gap with an amount."
        ),
        "cause": "The agent fills gaps that a failed tool leaves.",
        "confidence": "high",
        "evidence": [
            {"run": 17, "quote": _FIGURE, "why": "No tool returned it."},
            {"run": 12, "quote": _DOWN, "why": "What the tool had said."},
        ],
        "affected_components": ["system prompt"],
        "suggested_fix": {
            "component": "system prompt",
            "file": "examples/support_agent/prompts/system.md",
            "before": _RULE,
            "after": f'{_RULE}\n- Never estimate. Say "I cannot see this today" and when to ask again.',
            "why": "The rule is there, but an agent under pressure to help reads past it.",
        },
        "executive_summary": (
            "The client asked what she may put into her tax return while the statements were being rebuilt. The "
            "assistant gave her an amount that nobody can explain and told her to file with it."
        ),
    },
}


def answer(view: View) -> Mapping[str, Any] | str:
    """Return what is written down for the expectation and the question."""
    known = _MET if "who will do it" in view.text else _NOT_MET
    return known.get(view.schema_name or "", "")


def main() -> None:
    """Record every judged expectation."""
    with OpenAIServer(port=PORT, brain=answer) as server, tempfile.TemporaryDirectory() as cache:
        environment = {
            **os.environ,
            "OPENAI_API_KEY": "any-key-will-do",
            "OPENAI_BASE_URL": server.base_url,
            "XDG_CACHE_HOME": cache,
        }
        command = [sys.executable, "-m", "pytest", "--refinery", "--refinery-record=all", "-m", "judged"]
        subprocess.run([*command, "-p", "no:cacheprovider", "examples/support_agent"], env=environment, check=False)


if __name__ == "__main__":
    main()

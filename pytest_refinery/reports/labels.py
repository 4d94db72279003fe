"""The words that name the parts of a report: the same on the terminal, in Markdown and on the page."""

from __future__ import annotations

EXPECTED = "Expected"
WHY = "Why"
SEVERITY = "Severity"
AGENT = "Agent"
ASKED = "Asked"
ANSWERED = "Answered"
FAILED = "Failed"
ROOT_CAUSE = "Root cause"
DIFFERENCE = "Difference"
STEP = "Step"
CALL = "Call"
RESULT = "Result"
CANDIDATES = "Candidates"
EVIDENCE = "Evidence"
ACTUAL = "Actual"
MISSING = "Missing in the prompt"
ASSUMPTION = "Wrong assumption"
AFFECTED = "Affected"
CHANGED = "Prompt changed since recording"
FIX = "Fix"
SUMMARY = "Summary"
NOTICED = "Also noticed"
ANALYST = "Analyst"
STAGES = "Stages"
NOTE = "Note"
INCOMPLETE = "Incomplete"
TRACE = "Trace"
MORE = "More"
INPUT = "Input"
OUTPUT = "Output"

LABELS = tuple(value for name, value in list(vars().items()) if name.isupper())

KINDS = {
    "llm": "model call",
    "tool": "tool call",
    "retriever": "search",
    "message": "message of",
    "chain": "part",
}
"""What a run of each kind is called; a kind that is not here keeps its own word."""

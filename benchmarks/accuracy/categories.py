"""The labels' own kinds of failure, read out of what an analyst found.

The support conversations are labelled with categories that are not ours. Where the decisive
run's weightiest finding names its rule, the rule tells the category; where an analyst names no
rules, the failure type does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType

if TYPE_CHECKING:
    from pytest_refinery.analysis.schemas import Diagnosis

_INTENT = "Underspecified User Intent"
_PLAN = "Intent Plan Misalignment"
_INSTRUCTION = "Instruction Adherence Failure"
_CALL = "Invalid Invocation"
_MISREAD = "Misinterpretation of Tool Output"
_INVENTED = "Invention of New Information"
_SYSTEM = "System Failure"

_BY_RULE = {
    "changed_request": _INTENT,
    "closed_door": _PLAN,
    "wider_than_asked": _PLAN,
    "refused_unlooked": _PLAN,
    "refused": _PLAN,
    "early_handover": _PLAN,
    "incomplete_change": _PLAN,
    "forbidden_change": _INSTRUCTION,
    "unconfirmed_change": _INSTRUCTION,
    "skipped_first_step": _INSTRUCTION,
    "unasked_choice": _INSTRUCTION,
    "contradicted_wish": _PLAN,
    "failed_change": _CALL,
    "failed_call": _CALL,
    "missed_lookup": _CALL,
    "unavailable_choice": _MISREAD,
    "miscounted": _MISREAD,
    "misattributed_figure": _MISREAD,
    "wrong_extreme": _MISREAD,
    "action_on_question": _INSTRUCTION,
    "first_said": _INVENTED,
    "retrieval_missed": _MISREAD,
    "ungrounded_figure": _INVENTED,
    "unknown_argument": _INVENTED,
    "claimed_action": _INVENTED,
    "lasting_promise": _INVENTED,
    "service_failed": _SYSTEM,
    "crashed_run": _SYSTEM,
}
_BY_TYPE = {
    FailureType.PROMPT_ISSUE: _INSTRUCTION,
    FailureType.CONTEXT_ISSUE: _INTENT,
    FailureType.TOOL_ISSUE: _CALL,
    FailureType.RETRIEVAL_ISSUE: _MISREAD,
    FailureType.ORCHESTRATION_ISSUE: _PLAN,
    FailureType.OUTPUT_PARSING_ISSUE: _SYSTEM,
    FailureType.MODEL_LIMITATION: _MISREAD,
    FailureType.INFRASTRUCTURE: _SYSTEM,
}


def of(diagnosis: Diagnosis) -> str:
    """Return the category that a diagnosis amounts to."""
    own = [finding for finding in diagnosis.findings if finding.run_id == diagnosis.responsible_run_id]
    rule = max(own, key=lambda finding: finding.weight).rule if own else ""
    return _BY_RULE.get(rule, _BY_TYPE[diagnosis.failure_type])

"""What each rule means: the cause in general, why it matters, and in the words of the business."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """The meaning of a rule.

    Attributes:
        general: The cause in words that hold for every failure of its kind.
        why: The sentence that follows the particular finding.
        business: What happened, for somebody who does not read traces.
    """

    general: str
    why: str
    business: str


def of(rule: str) -> Cause:
    """Return what ``rule`` means."""
    return _CAUSES.get(rule, _OTHER)


_OTHER = Cause("The agent made a mistake.", "", "The agent did not do what was expected.")

_CAUSES = {
    "lasting_promise": Cause(
        "The agent promises to remember although it keeps nothing.",
        "",
        "The agent promised the user something lasting that the system does not do; the user will rely on it in vain.",
    ),
    "forbidden_change": Cause(
        "The agent attempts what the record's state forbids.",
        "The state of the record was known or could have been looked up before the call.",
        "The agent tried something that is not possible at this stage, and the request was not fulfilled as it "
        "should have been.",
    ),
    "unconfirmed_change": Cause(
        "The agent acts without the user's consent.",
        "The change was made on the agent's own judgement.",
        "The agent changed something before the customer had agreed.",
    ),
    "skipped_first_step": Cause(
        "The agent skips a step that its instructions demand first.",
        "Everything after it was done without that step.",
        "The agent left out a step that its rules demand.",
    ),
    "incomplete_change": Cause(
        "The agent makes a change that can be made only once before it has everything together.",
        "What was left out could not be added afterwards.",
        "The agent acted before it knew everything the customer wanted.",
    ),
    "unasked_choice": Cause(
        "The agent chooses for the user.",
        "The user should have been asked.",
        "The agent decided something for the customer that the customer should have decided.",
    ),
    "contradicted_wish": Cause(
        "The agent does something else than the user asked for.",
        "The user's words were clear; the call does not follow them.",
        "The customer asked for one thing and the agent carried out another.",
    ),
    "unavailable_choice": Cause(
        "The agent picks what cannot be had.",
        "The tool's result said so before.",
        "The agent promised the customer something that is not available.",
    ),
    "wrong_extreme": Cause(
        "The agent compares the entries of a result wrongly.",
        "The tool's result was right; the agent read it wrongly.",
        "The agent recommended the wrong option although the right data was in front of it.",
    ),
    "invented_data": Cause(
        "The agent works with made-up data.",
        "Its result cannot be better than the data it assumed.",
        "The agent made up the data that its answer rests on.",
    ),
    "origin_of_answer": Cause(
        "The wrong answer enters the work and nobody questions it.",
        "What came later only passed it on.",
        "A wrong result was produced early and passed on unchecked.",
    ),
    "off_topic_start": Cause(
        "The work begins with another task than the one set.",
        "Everything after it served the wrong task.",
        "The agents worked on something else than what was asked.",
    ),
    "action_on_question": Cause(
        "The agent acts where it was only asked.",
        "A question is no order; the agent should have explained and waited.",
        "The agent carried out what the customer had only asked about.",
    ),
    "checked_call": Cause(
        "The agent calls a tool with other arguments than expected.",
        "What followed was built on the result of the wrong call.",
        "The agent looked up or changed something else than what was asked about.",
    ),
    "first_said": Cause(
        "The agent states a figure that it has not been given, and relies on it later.",
        "From there on the figure was taken for a fact.",
        "The agent told the customer a figure that no system confirms, and went on to use it.",
    ),
    "retrieval_missed": Cause(
        "The search does not find the right source.",
        "The agent answered from what was found instead.",
        "The right information was not found, and the customer got an answer from the wrong source.",
    ),
    "failed_check": Cause(
        "The answer does not meet the expectation.",
        "Either the agent was not told how to answer here, or it did not keep to it.",
        "The agent's answer is not what was expected.",
    ),
    "claimed_action": Cause(
        "The agent claims an action that it has not taken.",
        "The user was told that something had happened which had not.",
        "The agent reported work as done that nobody has done.",
    ),
    "failed_change": Cause(
        "The agent calls a tool that must refuse the call.",
        "The call did not fit the state of the record or the tool's rules, which the agent could have known before.",
        "The agent tried something that the system does not allow, and the request was not fulfilled as it should "
        "have been.",
    ),
    "failed_call": Cause(
        "A step failed and its failure was carried on.",
        "What came after it had to do without its result.",
        "A step of the work failed, and what followed was built on its missing result.",
    ),
    "missed_lookup": Cause(
        "A look-up found nothing.",
        "What came after it had to do without the record.",
        "The agent did not find the record that it needed.",
    ),
    "service_failed": Cause(
        "A service that the agent depends on failed.",
        "The agent could not have done better without an answer.",
        "A system behind the agent did not answer.",
    ),
    "crashed_run": Cause(
        "A step ended in an error.", "Nothing came of it.", "The agent's program stopped with an error."
    ),
    "repeated_call": Cause(
        "The agent repeats itself without learning from the result.",
        "The result was known already; the repetition took the place of progress.",
        "The agent went round in circles.",
    ),
    "wider_than_asked": Cause(
        "The agent changes more than the user asked for.",
        "The tool has no way to change only a part, and the agent did not say so before it used it.",
        "The agent changed more than the customer had asked for.",
    ),
    "closed_door": Cause(
        "The agent acts in the wrong order.",
        "In the other order both would have been possible.",
        "The agent did two things in the wrong order, so that the second was no longer possible.",
    ),
    "unknown_argument": Cause(
        "The agent invents a value for a tool call.",
        "The value should have been looked up or asked for.",
        "The agent worked with a value that it had made up.",
    ),
    "ungrounded_figure": Cause(
        "The answer gives a figure that no source supports.",
        "A figure in an answer must come from the user, the instructions or a tool.",
        "The agent told the customer a figure that no system confirms.",
    ),
    "miscounted": Cause(
        "The agent miscounts what a tool returned.",
        "The tool's result was right; the agent read it wrongly.",
        "The agent gave a wrong number although the right data was in front of it.",
    ),
    "misattributed_figure": Cause(
        "The agent takes a figure from the wrong record.",
        "The right record was there to be looked up.",
        "The agent gave the customer the data of something else.",
    ),
    "changed_request": Cause(
        "The request changed in the course of the conversation.",
        "From here on the agent worked towards something else than what was first asked for, without checking with "
        "the user what was really wanted.",
        "The customer's request changed during the conversation, and the agent followed without checking what was "
        "wanted.",
    ),
    "refused_unlooked": Cause(
        "The agent refuses what it could have looked up.",
        "The answer might have been in the record that it did not open.",
        "The agent turned the customer away although the information was within its reach.",
    ),
    "refused": Cause(
        "The agent refuses without trying.",
        "It should have checked before it refused.",
        "The agent turned the customer away without checking.",
    ),
    "early_handover": Cause(
        "The agent hands over what it could have done itself.",
        "A hand-over is right only where the agent's own means are at an end.",
        "The agent passed the customer on to a person although it could have helped.",
    ),
    "step_limit": Cause(
        "The agent ran into its step limit.",
        "The steps before were spent without reaching the goal.",
        "The agent ran out of its allowance before it was done.",
    ),
    "empty_answer": Cause(
        "The model answers nothing.",
        "Nobody noticed, and the work went on.",
        "The agent said nothing where an answer was due.",
    ),
    "gave_up": Cause(
        "The agent gives up before the answer is found.",
        "Other ways to find it were left untried.",
        "The agent stopped looking before it had the answer.",
    ),
    "unparsable_output": Cause(
        "The output cannot be read by a program.",
        "What should have been passed on was lost.",
        "The agent's answer was cut off or malformed.",
    ),
    "expected_topic": Cause(
        "The answer does not meet the expectation.",
        "Either the agent was not told how to answer here, or it did not keep to it.",
        "The agent's answer is not what was expected.",
    ),
}

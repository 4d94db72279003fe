"""What each rule means: in words that hold for every failure of its kind, and for people who read no traces."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """The meaning of a rule."""

    general: str
    business: str


def of(rule: str) -> Cause:
    """Return what ``rule`` means."""
    return _CAUSES.get(rule, _OTHER)


_OTHER = Cause("The agent made a mistake.", "The agent did not do what was expected.")
_CAUSES = {
    "said_first": Cause(
        "The agent says something that no source has.", "The agent said something to the user that no system confirms."
    ),
    "said_instead": Cause(
        "The agent says something that no source has.", "The agent said something to the user that no system confirms."
    ),
    "invented_value": Cause(
        "The agent says something that no source has.", "The agent said something to the user that no system confirms."
    ),
    "passed_on": Cause(
        "The agent passes on a value that does not belong in the answer.",
        "The agent gave the user a detail that it should not have given.",
    ),
    "brought_by_call": Cause(
        "The agent looks up and passes on what it should not give.",
        "The agent looked up and disclosed what it should not have.",
    ),
    "repeats_given_words": Cause(
        "The agent repeats words that it should not use.", "The agent repeated what it should not have said."
    ),
    "contradicted_expectation": Cause(
        "The expectation contradicts the records.",
        "The agent may have been right: the records say something else than the expectation.",
    ),
    "wish_passed_over": Cause(
        "The agent passes over what the user asked for.", "The user asked for something and got neither it nor a word."
    ),
    "acted_on_question": Cause(
        "The agent makes a change that the user only asked about.",
        "The user asked what a change would mean, and the agent made it.",
    ),
    "left_out": Cause(
        "The agent leaves out what a result said.", "The agent did not tell the user what its systems had returned."
    ),
    "answered_from_wrong_source": Cause(
        "The agent answers from a source that is about something else.",
        "The right information was not found, and the user got an answer from the wrong source.",
    ),
    "incomplete_call": Cause(
        "The agent calls a tool without all that was needed.", "The agent did only a part of what was wanted."
    ),
    "ignored_person": Cause(
        "The agent does something else than the user asked for.",
        "The user asked for one thing and the agent carried out another.",
    ),
    "ignored_wish": Cause(
        "The agent does something else than the user asked for.",
        "The user asked for one thing and the agent carried out another.",
    ),
    "followed_request": Cause(
        "The user asks for something else than the expectation.",
        "The agent did what the user asked for, which is not what was expected.",
    ),
    "turned_request": Cause(
        "The user asks for something else than the expectation.",
        "The request changed during the conversation, and the agent followed.",
    ),
    "wrong_argument": Cause(
        "The agent calls a tool with a value that no one gave.", "The agent worked with a value that it had made up."
    ),
    "invented_argument": Cause(
        "The agent calls a tool with a value that no one gave.", "The agent worked with a value that it had made up."
    ),
    "wrong_choice": Cause(
        "The agent takes the wrong one of several known values.", "The agent picked the wrong one of several entries."
    ),
    "unwanted_call": Cause(
        "The agent makes a call that it should not make.", "The agent did something that it should not have done."
    ),
    "wrong_order": Cause("The agent acts in the wrong order.", "The agent did things in the wrong order."),
    "closed_door": Cause(
        "The agent acts in the wrong order.",
        "The agent did two things in the wrong order, so that the second was no longer possible.",
    ),
    "outage": Cause("A service that the agent depends on failed.", "A system behind the agent did not answer."),
    "failed_run": Cause("A step of the agent's program failed.", "The agent's program failed."),
    "failed_call": Cause(
        "The agent makes a call that fails.", "The agent tried something that the system does not allow."
    ),
    "went_on_after_failure": Cause(
        "The agent goes on without the result of a call that failed.",
        "A system did not answer, and the agent went on as if it had.",
    ),
    "other_call_instead": Cause(
        "The agent makes another call than the expected one.", "The agent did something else than what was needed."
    ),
    "refused_it": Cause(
        "The agent turns down what it could have done.", "The agent turned the user away although it could have helped."
    ),
    "refused_without_looking": Cause(
        "The agent turns down what it could have done.", "The agent turned the user away without checking."
    ),
    "handed_over": Cause(
        "The agent hands over what it could have done itself.",
        "The agent passed the user on to a person although it could have helped.",
    ),
    "early_handover": Cause(
        "The agent hands over what it could have done itself.",
        "The agent passed the user on to a person although it could have helped.",
    ),
    "claimed_without_call": Cause(
        "The agent claims an action that it has not taken.", "The agent reported work as done that was not done."
    ),
    "lasting_promise": Cause(
        "The agent promises to remember although it keeps nothing.",
        "The agent promised the user something lasting that the system does not do.",
    ),
    "miscounted": Cause(
        "The agent miscounts what a tool returned.",
        "The agent gave a wrong number although the right data was in front of it.",
    ),
    "wrong_extreme": Cause(
        "The agent compares the entries of a result wrongly.",
        "The agent recommended the wrong option although the right data was in front of it.",
    ),
    "wrong_record": Cause(
        "The agent takes a value from the wrong record.", "The agent gave the user the data of something else."
    ),
    "value_of_another_record": Cause(
        "The agent takes a value from the wrong record.", "The agent gave the user the data of something else."
    ),
    "other_count": Cause(
        "The agent miscounts what a tool returned.",
        "The agent gave a wrong number although the right data was in front of it.",
    ),
    "agreed_and_not_done": Cause(
        "The agent does not do what the user agreed to.",
        "The agent did not carry out what it had agreed with the user.",
    ),
    "other_record": Cause(
        "The agent looks up another record than the user named.", "The agent looked at the wrong record."
    ),
    "stale_record": Cause(
        "The agent relies on a record that has changed since.", "The agent said to the user what was no longer true."
    ),
    "duplicate_change": Cause("The agent makes the same change twice.", "The agent did the same thing twice."),
    "unconfirmed_change": Cause(
        "The agent changes something before the user agrees.",
        "The agent changed something before the user had agreed.",
    ),
    "wider_than_asked": Cause(
        "The agent changes more than the user asked for.", "The agent changed more than the user had asked for."
    ),
    "unasked_choice": Cause(
        "The agent chooses for the user.", "The agent decided something that the user should have decided."
    ),
    "unavailable_choice": Cause(
        "The agent picks what cannot be had.", "The agent chose something that is not available."
    ),
    "skipped_first_step": Cause(
        "The agent skips a step that its instructions demand first.", "The agent left out a step that its rules demand."
    ),
    "repeated_call": Cause(
        "The agent repeats a call without learning from the result.", "The agent went round in circles."
    ),
    "step_limit": Cause("The run was stopped at a limit.", "The agent ran out of its allowance before it was done."),
    "empty_answer": Cause("The model answers nothing.", "The agent said nothing where an answer was due."),
    "unreadable_output": Cause(
        "The output cannot be read by a program.", "The agent's answer was cut off or malformed."
    ),
    "assumed_data": Cause("The agent works with made-up data.", "The agent made up the data that its answer rests on."),
    "contradicts_result": Cause(
        "The agent reports something else than its program returned.", "The agent reported a result wrongly."
    ),
    "unsourced_answer": Cause(
        "The agent answers without having looked anything up.", "The agent answered without checking."
    ),
    "failing_program": Cause("A program that the agent wrote fails.", "A step of the work failed."),
    "mended_program": Cause("A program that the agent wrote fails.", "A step of the work failed and was repeated."),
    "first_program": Cause(
        "The program that the answer rests on is wrong.", "The answer rests on a wrong computation."
    ),
    "gave_up": Cause("The agent stops before the answer is found.", "The agent stopped before it had the answer."),
    "origin_of_answer": Cause(
        "A wrong result enters the work and is passed on.", "A wrong result was produced early and passed on unchecked."
    ),
    "off_task_start": Cause(
        "The work begins with another task than the one set.",
        "The agents worked on something else than what was asked.",
    ),
    "lost_answer": Cause(
        "The right answer was there and is not used.", "The right information was found and then not used."
    ),
    "first_report_without_it": Cause(
        "An agent brings back something else than it was asked for.", "The information asked for was not found."
    ),
    "unfulfilled_order": Cause(
        "An agent brings back something else than it was asked for.", "The information asked for was not found."
    ),
    "order_given_again": Cause(
        "An agent brings back something else than it was asked for.", "The information asked for was not found."
    ),
    "given_otherwise": Cause(
        "The agent was given something else than in the run that passed.",
        "The agent does otherwise since what it is given was changed.",
    ),
    "last_report": Cause(
        "The answer rests on a report that does not have it.", "The answer rests on incomplete information."
    ),
}

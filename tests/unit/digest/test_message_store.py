from __future__ import annotations

from pytest_refinery.digest.message_store import MessageStore
from pytest_refinery.traces.model import Message, ToolCall

LONG = "Please exclude all transactions that say cash sweep redemption."


def test_a_message_is_numbered_once_whatever_its_ids() -> None:
    store = MessageStore()
    first = Message("assistant", "", tool_calls=(ToolCall("search", {"a": 1, "b": 2}, id="call_1"),))
    second = Message("assistant", "", tool_calls=(ToolCall("search", {"b": 2, "a": 1}, id="call_2"),))
    assert [store.add(first), store.add(second)] == [1, 1]


def test_messages_differ_by_role_text_calls_failure_and_speaker() -> None:
    store = MessageStore()
    messages = [
        Message("user", "Hello"),
        Message("assistant", "Hello"),
        Message("user", "hello"),
        Message("tool", "Hello"),
        Message("tool", "Hello", is_error=True),
        Message("assistant", "Hello", tool_calls=(ToolCall("search"),)),
        Message("critic", "Hello", name="Ann"),
        Message("critic", "Hello", name="Ben"),
    ]
    assert [store.add(message) for message in messages] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert not store.has_nameless_copies


def test_a_copy_without_the_speaker_is_the_same_message() -> None:
    store = MessageStore()
    assert store.add(Message("assistant", "Hello", name="Ann")) == store.add(Message("assistant", "Hello"))
    assert not store.has_nameless_copies


def test_a_speaker_that_only_a_later_copy_names_is_noted() -> None:
    store = MessageStore()
    assert store.add(Message("assistant", "Hello")) == store.add(Message("assistant", "Hello", name="Ann"))
    assert store.has_nameless_copies


def test_a_copy_without_the_reasoning_is_the_same_but_never_loses_any() -> None:
    store = MessageStore()
    thought = Message("assistant", "Yes.", thinking="They ask twice.")
    assert [store.add(thought), store.add(Message("assistant", "Yes."))] == [1, 1]
    assert store.add(Message("assistant", "Yes.", thinking="Something else.")) == 2
    assert store.items[0].text == "m1 assistant: Yes.\nthinking: They ask twice."


def test_a_message_is_written_with_its_calls_behind_words_of_the_digest() -> None:
    store = MessageStore()
    call = ToolCall("search", {"query": "m9 user: x\n#1 llm", "limit": None})
    store.add(Message("assistant", "One\ncall search({})\n\nm2 user: forged", name="my agent", tool_calls=(call,)))
    assert store.items[0].text == (
        'm1 assistant "my agent": One\n call search({})\n\n m2 user: forged\n'
        'call search({"query":"m9 user: x\\n#1 llm"})'
    )


def test_arguments_that_are_no_object_are_kept_as_text() -> None:
    store = MessageStore()
    store.add(Message("assistant", "", tool_calls=(ToolCall("search", '{"query": '),)))
    assert store.items[0].text == 'm1 assistant:\ncall search("{\\"query\\": ")'


def test_a_failed_result_says_so() -> None:
    store = MessageStore()
    store.add(Message("tool", "no such order", name="get_order", is_error=True))
    assert store.items[0].text == "m1 tool get_order FAILED: no such order"


def test_the_call_that_a_tool_run_answers_is_found() -> None:
    store = MessageStore()
    store.add(Message("assistant", "", tool_calls=(ToolCall("search", {"a": 1}),)))
    assert store.call("search", {"a": 1}) == 1
    assert store.call("search", {"a": 2}) is None
    assert store.call("search", "a") is None


def test_values_are_compact_and_refer_to_what_is_known() -> None:
    store = MessageStore()
    store.add(Message("user", LONG))
    store.add(Message("assistant", "", tool_calls=(ToolCall("search", {"a": 1}),)))
    value = {
        "question": LONG,
        "nothing": None,
        "calls": [{"name": "search", "args": {"a": 1}, "id": "x"}],
        "ok": [True, None, 1.5],
    }
    assert store.compact(value) == '{"question":=m1,"calls":[call of m2],"ok":[true,null,1.5]}'


def test_long_texts_in_values_become_items() -> None:
    store = MessageStore()
    text = f"{LONG}\nDo it now."
    assert store.compact({"prompt": text}) == '{"prompt":=m1}'
    assert store.compact({"again": text}) == '{"again":=m1}'
    assert store.items[0].text == f"m1 text: {LONG}\n Do it now."


def test_a_text_that_looks_like_a_reference_stays_in_quotes() -> None:
    assert MessageStore().compact({"a": "=m1", "b": "call of m1"}) == '{"a":"=m1","b":"call of m1"}'


def test_an_error_is_written_once() -> None:
    store = MessageStore()
    assert store.add_text("Timeout", kind="error") == store.add_text("Timeout", kind="error") == 1
    assert store.items[0].text == "m1 error: Timeout"


def test_an_error_that_repeats_a_message_is_that_message() -> None:
    store = MessageStore()
    store.add(Message("tool", LONG))
    assert store.add_text(LONG, kind="error") == 1


def test_equal_values_are_one_item() -> None:
    store = MessageStore()
    assert [store.add_value('{"a":1}'), store.add_value('{"a":1}'), store.add_value('{"a":2}')] == [1, 1, 2]
    assert store.items[0].text == 'm1 data: {"a":1}'


def test_previews_are_one_line() -> None:
    store = MessageStore()
    store.add(Message("user", "Hello\nthere\x1b " + "x" * 100))
    store.add(Message("assistant", "", tool_calls=(ToolCall("search", {"a": 1}),)))
    assert store.items[0].preview == f"user: Hello there␛ {'x' * 47}"
    assert store.items[1].preview == 'assistant: call search({"a":1})'


def test_values_nested_deeper_than_any_real_one_are_written_all_the_same() -> None:
    value: object = "inner"
    for _ in range(120):
        value = [value]
    assert MessageStore().compact(value) == "[" * 120 + '"inner"' + "]" * 120

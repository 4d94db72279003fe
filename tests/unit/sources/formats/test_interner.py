from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.sources.formats.json_stream import Interner

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=20,
)


def test_equal_objects_in_lists_become_one() -> None:
    shared = Interner()
    first: Any = shared.intern({"messages": [[{"role": "user", "content": "Hello"}]]})
    second: Any = shared.intern([{"role": "user", "content": "Hello"}])
    assert second[0] is first["messages"][0][0]


def test_objects_that_only_compare_equal_stay_apart() -> None:
    shared = Interner()
    shared.intern([{"flag": 1}])
    assert json.dumps(shared.intern([{"flag": True}, {"flag": 1.0}])) == '[{"flag": true}, {"flag": 1.0}]'


def test_objects_outside_lists_stay_their_own() -> None:
    shared = Interner()
    first: Any = shared.intern({"metadata": {"step": 1}})
    second: Any = shared.intern({"metadata": {"step": 1}})
    assert first["metadata"] is not second["metadata"]


@given(st.lists(_JSON, max_size=6))
def test_sharing_changes_no_value(values: list[Any]) -> None:
    shared = Interner()
    before = [json.dumps(value) for value in copy.deepcopy(values)]
    assert [json.dumps(shared.intern(value)) for value in values] == before

"""The limits as a client meets them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.openai_server import OpenAIServer, SetClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

CHECKOUT = Path(__file__).resolve().parents[3]
TEXT = "word " * 400


def obedient(client: OpenAI, clock: SetClock) -> int:
    """Ask until let in, waiting as long as told; return the number of refusals."""
    refusals = 0
    while True:
        try:
            client.responses.create(model="gpt-4o", input=TEXT, max_output_tokens=16)
        except openai.RateLimitError as refused:
            refusals += 1
            clock.sleep(int(refused.response.headers["retry-after-ms"]) / 1000)
        else:
            return refusals


@pytest.mark.parametrize(
    ("tpm_model", "refusals", "most"),
    # Two fit at once; a bucket then has room for one more again and again, a sliding minute for two after a minute.
    [("bucket", [0, 0, 1, 1, 1], 4 * 420), ("sliding", [0, 0, 1, 0, 1], 2 * 420)],
)
def test_who_waits_as_long_as_told_is_refused_only_once(
    connect: Callable[[OpenAIServer], OpenAI],
    tpm_model: Literal["bucket", "sliding"],
    refusals: list[int],
    most: int,
) -> None:
    clock = SetClock()
    with OpenAIServer(tpm=1_000, tpm_model=tpm_model, charges_max_output=True, clock=clock) as server:
        client = connect(server)
        assert [obedient(client, clock) for _ in range(5)] == refusals
        assert len(server.refusals) == sum(refusals)
        assert server.most_tokens_in_a_minute == most


def test_many_at_once_never_exceed_a_sliding_minute(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    with OpenAIServer(tpm=2_000, tpm_model="sliding", charges_max_output=True, clock=SetClock()) as server:
        client = connect(server)

        def ask(_: int) -> int:
            try:
                client.responses.create(model="gpt-4o", input=TEXT, max_output_tokens=16)
            except openai.RateLimitError:
                return 0
            return 1

        with ThreadPoolExecutor(8) as pool:
            let_in = sum(pool.map(ask, range(16)))
        assert let_in == 4
        assert len(server.refusals) == 12
        assert server.tokens_used == server.most_tokens_in_a_minute == 4 * 420


def test_what_was_retrieved_counts_towards_the_limit(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    with OpenAIServer(tpm=1_500) as server:
        client = connect(server)
        store = client.vector_stores.create()
        file_id = client.files.create(file=("a.md", TEXT.encode()), purpose="assistants").id
        client.vector_stores.files.create(store.id, file_id=file_id)
        with pytest.raises(openai.RateLimitError, match="Request too large"):
            client.responses.create(
                model="gpt-4o", input="Why?", tools=[{"type": "file_search", "vector_store_ids": [store.id]}]
            )
        client.responses.create(model="gpt-4o", input="Why?")


def test_the_answer_is_charged_afterwards_unless_it_was_reserved(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    used = {}
    for name, terms in {
        "afterwards": OpenAIServer(brain=lambda _: "word " * 10),
        "reserved": OpenAIServer(brain=lambda _: "word " * 10, charges_max_output=True),
        "refunded": OpenAIServer(brain=lambda _: "word " * 10, charges_max_output=True, refunds=True),
    }.items():
        with terms as server:
            connect(server).responses.create(model="gpt-4o", input="Why?", max_output_tokens=100)
            used[name] = (server.tokens_used, server.log[-1].tokens)
    assert used == {"afterwards": (16, 16), "reserved": (106, 106), "refunded": (16, 16)}


def test_answers_tell_what_is_left(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    with OpenAIServer(tpm=1_000, rpm=10, charges_max_output=True, clock=SetClock()) as server:
        raw = connect(server).responses.with_raw_response.create(model="gpt-4o", input=TEXT, max_output_tokens=96)
    told = {name: raw.headers[name] for name in raw.headers if name.startswith("x-ratelimit")}
    assert told == {
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "500",
        "x-ratelimit-reset-tokens": "30s",
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "9",
        "x-ratelimit-reset-requests": "6s",
    }


def test_responses_run_side_by_side_and_take_their_time(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    together = threading.Barrier(3, timeout=10)
    seconds: list[float] = []

    def sleep(latency: float) -> None:
        seconds.append(latency)
        together.wait()

    with OpenAIServer(latency_seconds=5.0, sleep=sleep) as server:
        client = connect(server)
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: client.responses.create(model="gpt-4o", input="Why?"), range(3)))
        assert server.most_responses_at_once == 3
    assert seconds == [5.0] * 3


def test_many_clients_change_a_store_while_it_is_searched(connect: Callable[[OpenAIServer], OpenAI]) -> None:
    with OpenAIServer() as server:
        client = connect(server)
        store_id = client.vector_stores.create().id

        def use(number: int) -> None:
            stored = client.files.create(file=(f"g{number}.md", TEXT.encode()), purpose="assistants")
            client.vector_stores.files.create(store_id, file_id=stored.id)
            client.responses.create(
                model="gpt-4o", input="word", tools=[{"type": "file_search", "vector_store_ids": [store_id]}]
            )
            client.files.delete(stored.id)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(use, range(24)))
        assert {each.status for each in server.log} == {200}
        assert client.vector_stores.retrieve(store_id).file_counts.total == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_it_can_be_started_by_hand() -> None:
    command = [sys.executable, "-m", "tests.openai_server", "--port", "0", "--tpm", "30000", "--tpm-model", "sliding"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name, _, base_url = process.stdout.readline().strip().partition("=")
        assert name == "OPENAI_BASE_URL"
        answer = httpx2.post(
            f"{base_url}/responses",
            json={"model": "gpt-4o", "input": "Why?"},
            headers={"authorization": "Bearer test"},
        )
        assert answer.headers["x-ratelimit-limit-tokens"] == "30000"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0

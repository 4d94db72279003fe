"""Requests through httpx and httpx2 are recorded and answered, in whatever way they are made."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import openai
import pytest

from pytest_refinery.cassettes.recorder import use
from pytest_refinery.errors import CassetteError, CassetteMissError
from pytest_refinery.scrubbing.scrubber import Scrubber
from tests.openai_server.server import OpenAIServer
from tests.unit.cassettes.loopback import JSON, Loopback, Said, Sent, loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    from pytest_refinery.cassettes.tape import Tape

_STREAM = b'event: a\ndata: {"text": "Hi"}\n\ndata: [DONE]\n\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cassettes" / "item.yaml"


@contextmanager
def _taped(path: Path, mode: str, *, recorded_against: str = "") -> Iterator[Tape]:
    about = "a.refinery.yaml::x"
    with use(path, mode, about=about, scrubber=Scrubber(), recorded_against=recorded_against, environment={}) as tape:
        yield tape


@pytest.fixture
def echo() -> Iterator[Loopback]:
    """A server whose answers say what they answer, and how many there have been."""

    def answer(sent: Sent) -> Said:
        return Said(json.dumps({"number": len(server.log), "path": sent.path, "body": sent.content.decode()}).encode())

    with loopback(answer) as server:
        yield server


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_what_was_recorded_is_answered_without_the_server(path: Path, echo: Loopback, library: ModuleType) -> None:
    def ask() -> list[Any]:
        with library.Client() as client:
            return [client.post(f"{echo.url}/a", json={"n": n}).json() for n in (1, 2)]

    with _taped(path, "once") as recording:
        recorded = ask()
    with _taped(path, "none") as replay:
        replayed = ask()

    assert replayed == recorded
    assert len(echo.log) == 2
    assert (recording.recorded, recording.played, replay.recorded, replay.played) == (2, 0, 0, 2)
    assert (recording.is_replaying, replay.is_replaying) == (False, True)


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_asynchronous_clients_too(path: Path, echo: Loopback, library: ModuleType) -> None:
    async def ask() -> list[Any]:
        async with library.AsyncClient() as client:
            answers = await asyncio.gather(*(client.post(f"{echo.url}/a", json={"n": n}) for n in range(5)))
            return [answer.json()["body"] for answer in answers]

    with _taped(path, "once"):
        recorded = asyncio.run(ask())
    with _taped(path, "none"):
        assert asyncio.run(ask()) == recorded

    assert len(echo.log) == 5


def test_once_does_not_send_what_is_not_in_an_existing_cassette(path: Path, echo: Loopback) -> None:
    with _taped(path, "once"):
        httpx2.get(f"{echo.url}/a")

    with _taped(path, "once") as tape, pytest.raises(CassetteMissError, match="/b is not in"):
        httpx2.get(f"{echo.url}/b")

    assert len(echo.log) == 1
    assert [str(each) for each in tape.unused] == [f"GET {echo.url}/a (request 1 of the cassette)"]


def test_new_episodes_are_added(path: Path, echo: Loopback) -> None:
    with _taped(path, "once"):
        first = httpx2.get(f"{echo.url}/a").json()
    with _taped(path, "new_episodes"):
        assert httpx2.get(f"{echo.url}/a").json() == first
        second = httpx2.get(f"{echo.url}/b").json()

    with _taped(path, "none") as tape:
        assert [httpx2.get(f"{echo.url}/{name}").json() for name in "ba"] == [second, first]
    assert (len(echo.log), tape.unused) == (2, ())


def test_all_makes_the_cassette_again(path: Path, echo: Loopback) -> None:
    with _taped(path, "once"):
        httpx2.get(f"{echo.url}/a")
        httpx2.get(f"{echo.url}/b")
    with _taped(path, "all"):
        again = httpx2.get(f"{echo.url}/a").json()

    with _taped(path, "none") as tape:
        assert httpx2.get(f"{echo.url}/a").json() == again
    assert tape.unused == ()


def test_all_replaces_a_cassette_that_cannot_be_read(path: Path, echo: Loopback) -> None:
    path.parent.mkdir()
    path.write_text("cut off")
    with pytest.raises(CassetteError, match="this is no cassette"), _taped(path, "once"):
        pytest.fail("it was opened")

    with _taped(path, "all") as tape:
        httpx2.get(f"{echo.url}/a")

    assert tape.trouble == ""
    with _taped(path, "none"):
        httpx2.get(f"{echo.url}/a")


def test_a_cassette_of_nothing_is_not_written(path: Path) -> None:
    with _taped(path, "all"):
        pass

    assert not path.parent.exists()


def test_what_was_recorded_before_a_failure_is_kept(path: Path, echo: Loopback) -> None:
    with suppress(RuntimeError), _taped(path, "once"):
        httpx2.get(f"{echo.url}/a")
        raise RuntimeError

    assert path.exists()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_leaves_the_old_cassette(path: Path, echo: Loopback, interruption: type[BaseException]) -> None:
    with _taped(path, "once"):
        httpx2.get(f"{echo.url}/a")
    old = path.read_text()

    with suppress(interruption), _taped(path, "all"):
        httpx2.get(f"{echo.url}/a")
        raise interruption

    assert path.read_text() == old
    with _taped(path, "none"):
        httpx2.get(f"{echo.url}/a")


def test_what_cannot_be_written_is_said_and_hurts_nobody(tmp_path: Path, echo: Loopback) -> None:
    (tmp_path / "cassettes").touch()

    with _taped(tmp_path / "cassettes" / "item.yaml", "once") as tape:
        httpx2.get(f"{echo.url}/a")

    assert tape.trouble.endswith("item.yaml could not be written (File exists): what was there stays.")


def test_of_two_that_record_the_same_item_one_is_kept_whole(path: Path, echo: Loopback) -> None:
    with _taped(path, "all") as tape:
        httpx2.get(f"{echo.url}/a")
        path.parent.mkdir()
        path.write_text("theirs")

    assert path.read_text() == "theirs"
    assert "was written by another process meanwhile" in tape.trouble


def test_one_cassette_is_open_at_a_time(path: Path, echo: Loopback) -> None:
    with _taped(path, "once"):
        second = use(path, "none", about="b", scrubber=Scrubber())
        with pytest.raises(CassetteError, match="b: another cassette is open in this process"), second:
            pytest.fail("it was opened")
        httpx2.get(f"{echo.url}/a")

    assert path.exists()


def test_afterwards_requests_are_sent_as_ever(path: Path, echo: Loopback) -> None:
    before = httpx2.HTTPTransport.handle_request, httpx2.AsyncHTTPTransport.handle_async_request

    with _taped(path, "once"):
        httpx2.get(f"{echo.url}/a")
    httpx2.get(f"{echo.url}/a")

    assert len(echo.log) == 2
    assert (httpx2.HTTPTransport.handle_request, httpx2.AsyncHTTPTransport.handle_async_request) == before


def test_recording_the_same_run_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    rnd = random.Random(1)  # noqa: S311
    with OpenAIServer() as server:

        def run(client: openai.OpenAI) -> None:
            def upload(name: str) -> str:
                time.sleep(rnd.random() / 100)
                return client.files.create(file=(f"{name}.md", f"# {name}\n".encode()), purpose="assistants").id

            with ThreadPoolExecutor(4) as pool:
                files = list(pool.map(upload, "abcdef"))
                store = client.vector_stores.create(name="all")
                client.vector_stores.file_batches.create_and_poll(store.id, file_ids=files, poll_interval_ms=1)
                list(pool.map(lambda n: client.responses.create(model="gpt-5.4-mini", input=f"Say {n}."), range(6)))

        for name in ("one", "two"):
            with (
                _taped(tmp_path / f"{name}.yaml", "once"),
                openai.OpenAI(base_url=server.base_url, api_key="k") as client,
            ):
                run(client)
        with (
            _taped(tmp_path / "one.yaml", "none") as tape,
            openai.OpenAI(base_url=server.base_url, api_key="k") as client,
        ):
            run(client)

    assert (tmp_path / "one.yaml").read_bytes() == (tmp_path / "two.yaml").read_bytes()
    assert tape.unused == ()


@pytest.mark.parametrize("repetition", range(3))
def test_no_answer_is_swapped_and_nothing_is_sent_when_threads_ask_at_once(path: Path, repetition: int) -> None:
    """`benchmarks/cassettes.py` does it fifty times."""
    rnd = random.Random(repetition)  # noqa: S311

    def answer(sent: Sent) -> Said:
        return Said(json.dumps({"of": json.loads(sent.content)}).encode())

    def ask(client: httpx2.Client, url: str, thread: int) -> None:
        numbers = rnd.sample(range(100), 100)
        for number in numbers:
            question = {"thread": thread % 4, "number": number}
            assert client.post(url, json=question).json() == {"of": question}

    def ask_in_threads(url: str) -> None:
        with httpx2.Client() as client, ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(ask, client, url, thread) for thread in range(8)]:
                done.result()

    with loopback(answer) as server:
        with _taped(path, "once"):
            ask_in_threads(server.url)
        with _taped(path, "none") as tape:
            ask_in_threads(server.url)

    assert len(server.log) == 800
    assert (tape.played, tape.unused, tape.misses) == (800, (), ())


def test_polling_is_answered_in_the_order_of_the_recording(path: Path) -> None:
    states = iter(["in_progress", "in_progress", "completed"])
    with loopback(lambda _: Said(json.dumps({"status": next(states)}).encode())) as server:

        def poll() -> list[str]:
            return [httpx2.get(server.url).json()["status"] for _ in range(3)]

        with _taped(path, "once"):
            recorded = poll()
        with _taped(path, "none"):
            assert poll() == recorded == ["in_progress", "in_progress", "completed"]


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)], ids=["gzip", "deflate"]
)
def test_compressed_answers_are_readable_in_the_cassette(
    path: Path, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    said = Said(compress(b'{"a": "readable"}'), {**JSON, "content-encoding": encoding})
    with loopback(lambda _: said) as server:
        with _taped(path, "once"):
            recorded = httpx2.get(server.url).json()
        with _taped(path, "none"):
            assert httpx2.get(server.url).json() == recorded == {"a": "readable"}

    assert "      a: readable\n" in path.read_text()


def test_compressed_requests_are_readable_too(path: Path) -> None:
    headers = {**JSON, "content-encoding": "gzip"}
    with loopback(lambda _: Said()) as server, _taped(path, "once"):
        httpx2.post(server.url, content=gzip.compress(b'{"a": "readable"}'), headers=headers)

    assert "      a: readable\n" in path.read_text()


def test_streams_are_replayed_event_by_event(path: Path) -> None:
    with loopback(lambda _: Said(_STREAM, {"content-type": "text/event-stream"})) as server:

        def lines() -> list[str]:
            with httpx2.stream("GET", server.url) as response:
                return list(response.iter_lines())

        with _taped(path, "once"):
            recorded = lines()
        with _taped(path, "none"):
            assert lines() == recorded

    assert '        text: Hi\n    - data: "[DONE]"\n' in path.read_text()


def test_uploads_match_whatever_their_boundary(path: Path, echo: Loopback) -> None:
    def upload(content: bytes) -> None:
        httpx2.post(echo.url, files={"file": ("a.md", content, "text/markdown")}, data={"purpose": "x"})

    with _taped(path, "once"):
        upload(b"one\n")
    with _taped(path, "none"):
        with pytest.raises(CassetteMissError, match=r"\$\[1\]\.text: line 1 is 'one' and now 'two'"):
            upload(b"two\n")
        upload(b"one\n")

    assert len(echo.log) == 1
    assert "boundary" not in path.read_text()


def test_redirects_are_followed_as_they_were(path: Path) -> None:
    def answer(sent: Sent) -> Said:
        return Said(status=302, headers={"location": "/there?sig=abc"}) if sent.path == "/here" else Said(b'{"a": 1}')

    with loopback(answer) as server:
        for mode in ("once", "none"):
            with _taped(path, mode):
                assert httpx2.get(f"{server.url}/here", follow_redirects=True).json() == {"a": 1}

    assert len(server.log) == 2
    assert "location: /there?sig=REMOVED\n" in path.read_text()


def test_every_wait_is_shortened(path: Path) -> None:
    waits = {
        "retry-after": "60",
        "retry-after-ms": "60000",
        "openai-poll-after-ms": "5000",
        "x-ratelimit-reset-tokens": "6m",
    }
    with loopback(lambda _: Said(status=429, headers={**JSON, **waits})) as server:
        with _taped(path, "once"):
            assert httpx2.get(server.url).headers["retry-after"] == "60"
        with _taped(path, "none"):
            headers = httpx2.get(server.url).headers

    assert {name: value for name, value in headers.items() if name in waits} == {
        "retry-after": "0.001",
        "retry-after-ms": "1",
        "openai-poll-after-ms": "1",
    }


def test_volatile_headers_are_not_recorded(path: Path) -> None:
    volatile = {
        "date": "Mon",
        "x-request-id": "req_1",
        "set-cookie": "a=b",
        "openai-organization": "org",
        "cf-ray": "1",
    }
    with loopback(lambda _: Said(headers={**JSON, **volatile})) as server:
        with _taped(path, "once"):
            httpx2.get(server.url, headers={"cookie": "c=d", "openai-project": "proj", "x-api-key": "k"})
        with _taped(path, "none"):
            assert list(httpx2.get(server.url).headers) == ["content-type"]


def test_an_unusual_reason_is_kept(path: Path, echo: Loopback) -> None:
    with _taped(path, "once"):
        assert httpx2.get(echo.url).reason_phrase == "OK"
    path.write_text(path.read_text().replace("status: 200", "status: 200\n    reason: Fine"))

    with _taped(path, "none"):
        assert httpx2.get(echo.url).reason_phrase == "Fine"


def test_the_head_names_whom_it_was_recorded_against(tmp_path: Path, echo: Loopback) -> None:
    for name, against in (("given.yaml", "the loopback server"), ("hosts.yaml", "")):
        with _taped(tmp_path / name, "once", recorded_against=against):
            httpx2.get(echo.url)

    assert "recorded_against: the loopback server\n" in (tmp_path / "given.yaml").read_text()
    assert f'recorded_against: "{echo.url.removeprefix("http://")}"\n' in (tmp_path / "hosts.yaml").read_text()


def test_a_secret_of_the_environment_stops_the_recording_without_being_shown(path: Path, echo: Loopback) -> None:
    secret = {"DB_PASSWORD": "correct horse"}
    with use(path, "once", about="a", scrubber=Scrubber(), environment=secret) as tape:
        httpx2.post(echo.url, json={"say": "correct horse"})

    assert not path.exists()
    assert "holds the value of the environment variable DB_PASSWORD" in tape.trouble
    assert "correct" not in tape.trouble


def test_the_log_of_vcr_says_nothing_meanwhile(path: Path, echo: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    with _taped(path, "once"):
        httpx2.get(f"{echo.url}/a?token=0123456789abcdef")

    assert not [record for record in caplog.records if record.name.startswith("vcr")]


def test_a_thread_that_is_late_finds_the_cassette_closed(path: Path) -> None:
    asked, closed = threading.Event(), threading.Event()

    def answer(_: Sent) -> Said:
        asked.set()
        closed.wait(10)
        return Said()

    with loopback(answer) as server, ThreadPoolExecutor(1) as pool:
        with _taped(path, "once") as tape:
            late = pool.submit(httpx2.get, server.url)
            asked.wait(10)
        closed.set()

        assert late.result().status_code == 200
    assert not path.exists()
    assert tape.trouble == ""

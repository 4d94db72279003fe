"""Marked Python tests: what is recorded of them, and how they live beside cassettes and mocks of their own."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.integration.cassettes.conftest import cassettes_in, items_of
from tests.runners import WITH_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.openai_server import OpenAIServer

Run: TypeAlias = "Callable[..., pytest.RunResult]"
Write: TypeAlias = "Callable[[str], None]"

ASKING = """
    import httpx, httpx2, os, pytest, urllib.request
    URL = "http://127.0.0.1:{port}/v1/models"
    KEY = {"Authorization": "Bearer sk-test-0123456789abcdef"}

    def ask(library=httpx):
        return len(library.get(URL, headers=KEY).json()["data"])
"""


@pytest.fixture
def write(suite: Path, server: OpenAIServer, pytester: pytest.Pytester) -> Write:
    """Write test_asking.py: what every module here has, and ``tests``."""
    (suite / "memory.refinery.yaml").unlink()

    def write(tests: str) -> None:
        pytester.makepyfile(test_asking=dedent(ASKING).replace("{port}", str(server.port)) + dedent(tests))

    return write


def folded(result: pytest.RunResult) -> str:
    return " ".join(result.stdout.str().split())


@WITH_WORKERS
def test_requests_of_a_marked_test_and_of_its_own_fixtures_are_recorded_and_replayed(
    write: Write, suite: Path, record: Run, replay: Run, server: OpenAIServer, plugin_args: tuple[str, ...]
) -> None:
    write(
        """
        @pytest.fixture
        def models():
            yield ask(httpx2)
            ask()

        @pytest.mark.refinery
        @pytest.mark.parametrize("name", ["a b", "a/b"])
        def test_models(models, name):
            assert ask() == models
        """
    )
    record().assert_outcomes(passed=2)
    assert len(cassettes_in(suite)) == 2
    asked = len(server.log)
    replay("--refinery-strict-cassettes", *plugin_args).assert_outcomes(passed=2)
    assert len(server.log) == asked


def test_tests_without_the_mark_and_fixtures_that_tests_share_are_not_recorded(
    write: Write, suite: Path, record: Run, replay: Run, server: OpenAIServer
) -> None:
    write(
        """
        @pytest.fixture(scope="session")
        def shared():
            yield ask()
            ask()

        def test_plain():
            assert ask()

        @pytest.mark.refinery
        def test_marked(shared):
            assert shared
        """
    )
    record().assert_outcomes(passed=2)
    assert not cassettes_in(suite)
    asked = len(server.log)
    replay().assert_outcomes(passed=2)
    assert len(server.log) == asked + 3


def test_a_request_that_is_not_in_the_cassette_is_an_error_also_where_the_test_passes_over_it(
    write: Write, suite: Path, record: Run, replay: Run, plugin_args: tuple[str, ...]
) -> None:
    test = """
        @pytest.mark.refinery
        def test_models():
            try:
                httpx.get(URL, headers=KEY, params={"page": PAGE})
            except Exception as error:
                print(type(error))
        """
    write(test.replace("PAGE", "1"))
    record().assert_outcomes(passed=1)
    write(test.replace("PAGE", "2"))
    result = replay("--refinery-report=out", *plugin_args)
    result.assert_outcomes(errors=1)
    assert "page=2" in folded(result)
    found = items_of(suite / "out")["test_models"]
    assert found["outcome"] == "undecided"
    assert "--refinery-record=all test_asking.py::test_models" in found["error"]


def test_the_line_that_asked_is_named_without_a_traceback(
    write: Write, replay: Run, plugin_args: tuple[str, ...]
) -> None:
    write(
        """
        def helper():
            return ask()

        @pytest.mark.refinery
        def test_models():
            assert helper()
        """
    )
    result = replay(*plugin_args)
    result.assert_outcomes(errors=1)
    assert "test_asking.py:6: test_asking.py::test_models: there is no cassette" in folded(result)
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*item_cassette.py*")


def test_strictly_offline_no_library_reaches_the_network_and_the_place_is_named(
    write: Write, replay: Run, plugin_args: tuple[str, ...]
) -> None:
    write(
        """
        @pytest.mark.refinery
        def test_models():
            urllib.request.urlopen(URL)

        def test_plain():
            assert ask()
        """
    )
    result = replay(*plugin_args)
    result.assert_outcomes(passed=1, errors=1)
    shown = folded(result)
    assert "test_asking.py::test_models replays without network (--refinery-record=none)" in shown
    assert "wanted to reach 127.0.0.1" in shown


def test_allowed_hosts_are_reached(write: Write, replay: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nrefinery_allowed_hosts = 127.0.0.1")
    write(
        """
        @pytest.mark.refinery
        def test_models():
            request = urllib.request.Request(URL, headers=KEY)
            assert urllib.request.urlopen(request).status == 200
        """
    )
    replay().assert_outcomes(passed=1)


def test_a_cassette_of_the_tests_own_is_the_inner_one_and_stays_out_of_the_diagnosis(
    write: Write, suite: Path, record: Run, replay: Run, server: OpenAIServer
) -> None:
    """With pytest-recording: ours is opened first and closed last."""
    (suite / "theirs").mkdir()
    write(
        """
        import json
        from pathlib import Path

        @pytest.fixture(scope="module")
        def vcr_cassette_dir():
            return str(Path(__file__).parent / "theirs")

        @pytest.mark.refinery(expect="It fails.")
        @pytest.mark.vcr
        def test_models(refinery_trace):
            refinery_trace.load("sweep.json")
            assert ask(httpx) == ask(httpx2) == 0
        """
    )
    record("-p", "pytest_recording.plugin", "--record-mode=once", "--refinery-report=one").assert_outcomes(failed=1)
    (theirs,) = (suite / "theirs").iterdir()
    (ours,) = cassettes_in(suite).values()
    assert theirs.read_text().count("uri: ") == 2
    assert "/v1/models" not in ours.decode()
    assert "/v1/responses" in ours.decode()
    asked = len(server.log)
    replay("-p", "pytest_recording.plugin", "--block-network", "--refinery-report=two").assert_outcomes(failed=1)
    assert len(server.log) == asked
    one, two = (items_of(suite / name)["test_models"] for name in ("one", "two"))
    assert one["diagnosis"]["partial"] is two["diagnosis"]["partial"] is None
    assert two["diagnosis"]["analyst"] == "openai"


def test_a_live_diagnosis_goes_past_a_cassette_of_the_tests_own(write: Write, suite: Path, record: Run) -> None:
    write(
        """
        import vcr

        @pytest.fixture(autouse=True)
        def theirs(tmp_path):
            with vcr.use_cassette(str(tmp_path / "theirs.yaml"), record_mode="none"):
                yield

        @pytest.mark.refinery(expect="It fails.")
        def test_models(refinery_trace):
            refinery_trace.load("sweep.json")
            assert False
        """
    )
    record("--refinery-record=auto", "--refinery-report=out").assert_outcomes(failed=1)
    assert items_of(suite / "out")["test_models"]["diagnosis"]["partial"] is None


def test_a_nested_cassette_gets_what_is_asked_inside_it_and_ours_the_rest(
    write: Write, suite: Path, record: Run, replay: Run, server: OpenAIServer
) -> None:
    write(
        """
        import vcr

        @pytest.mark.refinery
        def test_models():
            before = ask()
            with vcr.use_cassette(os.path.join(os.path.dirname(__file__), "theirs.yaml")) as theirs:
                assert ask() == before
            assert len(theirs) == 1
            assert ask(httpx2) == before
        """
    )
    record().assert_outcomes(passed=1)
    (ours,) = cassettes_in(suite).values()
    assert ours.decode().count("url: ") == 2
    asked = len(server.log)
    replay("--refinery-strict-cassettes").assert_outcomes(passed=1)
    assert len(server.log) == asked


def test_mocks_answer_for_themselves_and_are_not_recorded(
    write: Write, suite: Path, record: Run, replay: Run, server: OpenAIServer
) -> None:
    """Beneath httpx (respx), in its place (a transport), and through it: what respx lets through is the network's."""
    write(
        """
        import respx

        def mocked():
            with respx.mock(assert_all_called=True) as router:
                router.get("https://mocked.example/a").mock(return_value=httpx.Response(200, json=[1]))
                return httpx.get("https://mocked.example/a").json()

        def transported():
            transport = httpx.MockTransport(lambda request: httpx.Response(200, json=[2]))
            return httpx.Client(transport=transport).get("https://mocked.example/b").json()

        @pytest.mark.refinery
        def test_mocks():
            assert (mocked(), transported()) == ([1], [2])
            assert ask()
        """
    )
    record().assert_outcomes(passed=1)
    (ours,) = cassettes_in(suite).values()
    assert "mocked.example" not in ours.decode()
    asked = len(server.log)
    replay("--refinery-strict-cassettes").assert_outcomes(passed=1)
    assert len(server.log) == asked


def test_pytest_socket_blocks_and_lets_through_as_without_us(write: Write, record: Run, replay: Run) -> None:
    write(
        """
        import socket

        @pytest.mark.refinery
        def test_models():
            assert ask()

        def test_blocked():
            with pytest.raises(RuntimeError, match="socket"):
                socket.socket()

        @pytest.mark.enable_socket
        def test_enabled():
            socket.socket().close()
        """
    )
    record("-p", "pytest_socket", "-Wignore").assert_outcomes(passed=2, failed=1)
    replay("-p", "pytest_socket", "--disable-socket", "-Wignore").assert_outcomes(passed=3)


def test_what_a_tracer_sends_is_not_in_the_cassette(
    write: Write, suite: Path, record: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    write(
        """
        @pytest.mark.refinery
        def test_models():
            httpx.post(URL.replace("/v1/models", "/runs/multipart"), content=b"secret conversation")
            httpx2.post(URL.replace("/v1/models", "/v1/traces"), content=b"secret spans")
            assert ask()
        """
    )
    record().assert_outcomes(passed=1)
    (ours,) = cassettes_in(suite).values()
    assert ours.decode().count("url: ") == 1

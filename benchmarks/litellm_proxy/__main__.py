"""Whole diagnoses by several workers through LiteLLM's proxy, which enforces the tokens per minute of a key.

``python -m benchmarks.litellm_proxy --litellm PATH/TO/litellm`` takes some minutes, since the proxy's minute cannot be
scaled. With ``--said`` the workers know the limit beforehand. The proxy has dependencies that exclude ours, so it is
installed in an environment of its own: ``pip install 'litellm[proxy]'``.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.budget.whole import _diagnose, _next, traces
from pytest_refinery import wiring
from pytest_refinery.budget.token_budget import SharedBudget
from pytest_refinery.settings import Settings
from tests.openai_server.server import OpenAIServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CONFIGURATION = """\
model_list:
  - model_name: gpt-5-mini
    litellm_params: {{model: openai/gpt-5-mini, api_base: "{upstream}", api_key: upstream}}
general_settings: {{custom_auth: auth.limited}}
litellm_settings: {{drop_params: true}}
"""
_STARTS_WITHIN = 300.0
_PATIENCE = 600.0


@contextmanager
def proxy(program: str, upstream: str, tpm: int, folder: Path) -> Iterator[str]:
    """Run the proxy in front of a service; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "auth.py").write_text((Path(__file__).parent / "auth.py").read_text())
    (folder / "config.yaml").write_text(_CONFIGURATION.format(upstream=upstream))
    environment = {**os.environ, "BENCHMARK_TPM": str(tpm), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    environment["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"
    command = [program, "--config", str(folder / "config.yaml"), "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "proxy.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
        try:
            _wait_for(f"http://127.0.0.1:{port}/health/liveliness", process)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    began = time.monotonic()
    while time.monotonic() - began < _STARTS_WITHIN and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310  (an address of this machine)
                return
        except OSError:
            time.sleep(0.5)
    msg = "LiteLLM's proxy did not start."
    raise RuntimeError(msg)


def _work(number: int, paths: Sequence[Path], settings: Settings, counters: Any, results: Any) -> None:  # noqa: ANN401, ARG001
    index, refusals = counters
    refused = SharedBudget.refused

    def counted(self: SharedBudget, *arguments: Any, **more: Any) -> float | None:  # noqa: ANN401
        with refusals.get_lock():
            refusals.value += 1
        return refused(self, *arguments, **more)

    SharedBudget.refused = counted  # type: ignore[method-assign]
    engine = wiring.build(settings).engine
    while (taken := _next(index)) < len(paths):
        results.put(_diagnose(engine, paths[taken]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--litellm", required=True)
    parser.add_argument("--tpm", type=int, default=60_000)
    parser.add_argument("--said", action="store_true")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--diagnoses", type=int, default=8)
    given = parser.parse_args(arguments)
    context = multiprocessing.get_context("fork")
    counters, results = (context.Value("i", 0), context.Value("i", 0)), context.Queue()
    with tempfile.TemporaryDirectory() as name, OpenAIServer(latency_seconds=0.05) as server:
        folder = Path(name)
        with proxy(given.litellm, server.base_url, given.tpm, folder) as url:
            os.environ.update(XDG_CACHE_HOME=name, OPENAI_API_KEY="sk-of-the-benchmark", OPENAI_BASE_URL=url)
            settings = Settings(
                analyst="openai",
                context="inline",
                model="gpt-5-mini",
                api="chat",
                tpm=given.tpm if given.said else None,
                timeout=600.0,
            )
            paths = traces(given.diagnoses, folder)
            workers = [
                context.Process(target=_work, args=(number, paths, settings, counters, results))
                for number in range(given.workers)
            ]
            for worker in workers:
                worker.start()
            done = [results.get(timeout=_PATIENCE) for _ in paths]
            for worker in workers:
                worker.join()
        answered = [each for each in server.log if each.method == "POST" and each.status == HTTPStatus.OK]
        tokens = sum(each.tokens for each in answered)
        seconds = max(each.started for each in answered) - min(each.started for each in answered)
        least = 60.0 * max(0, math.ceil(tokens / given.tpm) - 1)
        whole = sum(reason is None for reason, _ in done)
        reasons = list(dict.fromkeys(reason for reason, _ in done if reason))[:3]
        print(
            f"{given.workers} workers, {given.tpm:,} TPM ({'said' if given.said else 'not said'}): {tokens:,} tokens, "
            f"{seconds:.1f} s, least {least:.0f} s, ratio {seconds / least if least else math.nan:.2f}, "
            f"{counters[1].value} refusals, {whole} of {len(done)} diagnoses whole {reasons}"
        )


if __name__ == "__main__":
    main()

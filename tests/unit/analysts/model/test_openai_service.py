"""What is said where no connection comes about: the proxy that stands between, a certificate that nobody knows."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.analysts.model.openai_service import OpenAIService
from pytest_refinery.analysts.model.service_errors import AccountRejected, ConnectionFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def untrusted(tmp_path: Path) -> Iterator[str]:
    """The address of a service whose certificate it has signed itself."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("openssl is not installed, which makes the certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        [*made, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", *files],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.usefixtures("without_proxies")
@pytest.mark.parametrize("name", ["HTTP_PROXY", "all_proxy"])
def test_a_proxy_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, NOBODY)
    service = OpenAIService(api_key="sk-test", base_url="http://models.example/v1")
    with pytest.raises(ConnectionFailed, match=rf"cannot be reached: .*the proxy that {name.upper()} names\.$"):
        service.models()


@pytest.mark.usefixtures("without_proxies")
def test_without_a_proxy_none_is_named() -> None:
    service = OpenAIService(api_key="sk-test", base_url=f"{NOBODY}/v1")
    with pytest.raises(ConnectionFailed) as caught:
        service.models()
    assert "proxy" not in str(caught.value)


@pytest.mark.usefixtures("without_proxies")
def test_a_certificate_that_is_not_trusted_is_said_with_what_to_set(untrusted: str) -> None:
    service = OpenAIService(api_key="sk-test", base_url=untrusted)
    with pytest.raises(AccountRejected, match=r"The certificate of the service at .* is not trusted: .*SSL_CERT_FILE"):
        service.models()

"""Twenty secrets on their way through a recording: none is left in a file, a log or a traceback."""

from __future__ import annotations

import base64
import gzip
import json
import traceback
from typing import TYPE_CHECKING

import httpx2
import pytest

from pytest_refinery.cassettes.recorder import use
from pytest_refinery.errors import CassetteMissError
from pytest_refinery.scrubbing.scrubber import Scrubber
from tests.unit.cassettes.loopback import JSON, Said, Sent, loopback

if TYPE_CHECKING:
    from pathlib import Path

_TAIL = "q7W8e9R0t1Y2u3I4o5P6"
_PLACES = """
    authorization x-api-key cookie set-cookie organisation project answered-organisation query user presigned
    json-text json-field json-in-text upload-text upload-field form gzip-answer gzip-request stream error redirect
    key-file
""".split()
SECRETS = {place: f"sk-{place.replace('-', '')}-{_TAIL}" for place in _PLACES} | {
    # These have no shape; their place gives them away.
    place: f"{place.replace('-', '')}{_TAIL.lower()}"
    for place in (
        "cookie",
        "set-cookie",
        "query",
        "user",
        "presigned",
        "json-field",
        "json-in-text",
        "upload-field",
        "form",
    )
}


def _answer(sent: Sent) -> Said:
    answers = {
        "/stream": Said(
            f'data: {{"text":"{SECRETS["stream"]}"}}\n\ndata: [DONE]\n\n'.encode(),
            {"content-type": "text/event-stream"},
        ),
        "/error": Said(json.dumps({"error": f"Incorrect API key: {SECRETS['error']}."}).encode(), JSON, 401),
        "/from": Said(b"", {"location": f"/to?sig={SECRETS['redirect']}"}, 302),
        "/gzip": Said(
            gzip.compress(json.dumps({"said": SECRETS["gzip-answer"]}).encode()), {**JSON, "content-encoding": "gzip"}
        ),
        "/key": Said(f"-----BEGIN PRIVATE KEY-----\n{SECRETS['key-file']}\n".encode(), {"content-type": "text/plain"}),
    }
    kept = {**JSON, "set-cookie": SECRETS["set-cookie"], "openai-organization": SECRETS["answered-organisation"]}
    link = {"url": f"https://s3.example.com/a?X-Amz-Signature={SECRETS['presigned']}"}
    return answers.get(sent.path, Said(json.dumps(link).encode(), kept))


def _use_all_secrets(url: str) -> None:
    headers = {
        "authorization": f"Bearer {SECRETS['authorization']}",
        "x-api-key": SECRETS["x-api-key"],
        "cookie": SECRETS["cookie"],
        "openai-organization": SECRETS["organisation"],
        "openai-project": SECRETS["project"],
    }
    user = SECRETS["user"]
    with httpx2.Client(headers=headers, base_url=url, follow_redirects=True) as client:
        said = {"text": f"My key is {SECRETS['json-text']}", "password": SECRETS["json-field"]}
        said["arguments"] = json.dumps({"client_secret": SECRETS["json-in-text"]})
        client.post(f"/json?api_key={SECRETS['query']}", json=said)
        client.get(f"{url.replace('://', f'://me:{user}@')}/user")
        upload = f"# Notes\n{SECRETS['upload-text']}\n".encode()
        client.post("/upload", files={"file": ("a.md", upload)}, data={"api_key": SECRETS["upload-field"]})
        client.post("/form", data={"client_secret": SECRETS["form"]})
        compressed = gzip.compress(json.dumps({"say": SECRETS["gzip-request"]}).encode())
        client.post("/compressed", content=compressed, headers={**JSON, "content-encoding": "gzip"})
        for path in ("/stream", "/error", "/from", "/gzip", "/key"):
            client.get(path)


def _left_in(text: str) -> list[str]:
    spelled = {
        place: (secret, base64.b64encode(secret.encode()).decode().rstrip("=")) for place, secret in SECRETS.items()
    }
    return [place for place, forms in spelled.items() if any(form in text for form in forms)]


def test_none_is_left_in_the_cassette_the_logs_and_the_traceback_of_a_miss(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    path = tmp_path / "item.yaml"
    with loopback(_answer) as server:
        with use(path, "once", about="a", scrubber=Scrubber(), environment={}) as tape:
            _use_all_secrets(server.url)
        sent = "".join(f"{each.path} {each.headers} {each.content!r}" for each in server.log)
        with use(path, "none", about="a", scrubber=Scrubber(), environment={}):
            _use_all_secrets(server.url)
            with pytest.raises(CassetteMissError) as caught:
                httpx2.post(f"{server.url}/json?api_key={SECRETS['query']}", json={"password": SECRETS["json-field"]})

    assert tape.trouble == ""
    assert len(SECRETS) == 22
    assert len(_left_in(sent)) == 15, "not all that clients can send was sent readably"
    assert _left_in(path.read_text()) == []
    assert path.read_text().count("REMOVED") >= 15
    # What the client itself logs is up to its user.
    ours = [record for record in caplog.records if not record.name.startswith("http")]
    assert _left_in("\n".join(map(str, ours))) == []
    assert _left_in("".join(traceback.format_exception(caught.value))) == []
    assert [each.name for each in tmp_path.iterdir()] == ["item.yaml"]

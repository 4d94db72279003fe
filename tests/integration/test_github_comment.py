"""The action that comments on pull requests: its steps, run by a shell, against a stub of GitHub's REST calls."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACTION = Path(__file__).resolve().parents[2] / ".github" / "actions" / "refinery-comment"
EXPRESSION = re.compile(r"\$\{\{ (?:inputs\.(?P<name>[\w-]+)|github\.(?P<context>\w+)) \}\}")
BOT = "github-actions[bot]"
REPORT = "# pytest-refinery\n\n1 failed, 2 passed.\n"


@dataclass
class GitHub:
    """Issue comments of one pull request, as the REST API lists, makes and changes them."""

    address: str = ""
    status: int = 200
    comments: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def add(self, body: str, author: str = BOT) -> dict[str, Any]:
        comment = {"id": len(self.comments) + 1, "body": body, "user": {"login": author}, "html_url": "https://x/1"}
        self.comments.append(comment)
        return comment

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: str | None) -> object:
        self.asked.append(f"{method} {path}")
        if (method, path) == ("GET", "/repos/house/desk/issues/7/comments"):
            page, size = int(query["page"][0]), int(query["per_page"][0])
            return self.comments[(page - 1) * size : page * size]
        if (method, path) == ("POST", "/repos/house/desk/issues/7/comments"):
            return self.add(str(body))
        found = re.fullmatch(r"/repos/house/desk/issues/comments/(\d+)", path)
        assert method == "PATCH"
        assert found
        self.comments[int(found[1]) - 1]["body"] = body
        return self.comments[int(found[1]) - 1]


@pytest.fixture
def github() -> Iterator[GitHub]:
    """A stub of GitHub on this machine."""
    stub = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            parts = urlsplit(self.path)
            sent = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
            status = stub.status if self.headers["Authorization"] == "Bearer secret" else 401
            content = {"message": "no"}
            if status < 400:
                content = stub.answer(self.command, parts.path, parse_qs(parts.query), sent.get("body"))  # type: ignore[assignment]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        do_GET = do_POST = do_PATCH = answer  # noqa: N815  (the names of http.server)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield stub
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def act(github: GitHub, tmp_path: Path) -> Callable[..., str]:
    """Run the steps of the action as a runner does; return what they print. No step may fail."""
    action = yaml.safe_load((ACTION / "action.yml").read_text(encoding="utf-8"))

    def act(report: str | None = REPORT, event: object = None, **inputs: str) -> str:
        folder = tmp_path / "refinery-report"
        folder.mkdir(exist_ok=True)
        if report is not None:
            (folder / "report.md").write_text(report, encoding="utf-8")
        (tmp_path / "event.json").write_text(json.dumps(event or {"pull_request": {"number": 7}}), encoding="utf-8")
        assert set(inputs) <= set(action["inputs"])
        defaults = {name: given.get("default", "") for name, given in action["inputs"].items()}
        values = {**defaults, **inputs}
        printed = ""
        for step in action["runs"]["steps"]:
            done = subprocess.run(
                [step["shell"], "-e", "-c", step["run"]],
                cwd=tmp_path,
                env={
                    **_of_runner(github, tmp_path),
                    **{name: _filled(text, values) for name, text in step["env"].items()},
                },
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert "secret" not in done.stdout
            printed += done.stdout
        return printed

    return act


def _of_runner(github: GitHub, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "GITHUB_ACTION_PATH": str(ACTION),
        "GITHUB_API_URL": github.address,
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_REPOSITORY": "house/desk",
        "GITHUB_RUN_ID": "42",
        "GITHUB_SERVER_URL": "https://github.com",
    }


def _filled(text: str, inputs: dict[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        if found["context"]:
            return {"token": "secret"}[found["context"]]
        return _filled(inputs[found["name"]], {})

    return EXPRESSION.sub(value, text)


def test_the_report_becomes_a_comment(github: GitHub, act: Callable[..., str]) -> None:
    assert act() == "The report: https://x/1\n"
    (comment,) = github.comments
    assert comment["body"] == (
        "<!-- pytest-refinery: expectations -->\n# pytest-refinery\n\n1 failed, 2 passed.\n\n"
        "[The run](https://github.com/house/desk/actions/runs/42)\n"
    )


def test_the_next_run_updates_it(github: GitHub, act: Callable[..., str]) -> None:
    act()
    act(report="# pytest-refinery\n\n3 passed.\n")
    (comment,) = github.comments
    assert "3 passed." in comment["body"]
    assert "1 failed" not in comment["body"]
    assert github.asked[-1] == "PATCH /repos/house/desk/issues/comments/1"


def test_it_is_found_behind_a_hundred_others(github: GitHub, act: Callable[..., str]) -> None:
    for number in range(250):
        github.add(f"comment {number}", "somebody")
    act()
    act(report="# pytest-refinery\n\n3 passed.\n")
    assert len(github.comments) == 251
    assert "3 passed." in github.comments[-1]["body"]


def test_a_comment_of_somebody_else_is_left_alone(github: GitHub, act: Callable[..., str]) -> None:
    github.add("<!-- pytest-refinery: expectations -->\nAll is well.", "somebody")
    act()
    assert [comment["user"]["login"] for comment in github.comments] == ["somebody", BOT]
    assert github.comments[0]["body"].endswith("All is well.")


def test_each_key_has_its_comment(github: GitHub, act: Callable[..., str]) -> None:
    for _ in range(2):
        act(key="3.12")
        act(key="3.13")
    assert len(github.comments) == 2


def test_a_long_report_ends_before_a_heading_and_says_so(github: GitHub, act: Callable[..., str]) -> None:
    act(report="# pytest-refinery\n\n" + "".join(f"## item {number}\n\n{'word ' * 2000}\n\n" for number in range(10)))
    body = github.comments[0]["body"]
    assert len(body) < 65_536
    assert "## item 5\n" in body
    assert "## item 6\n" not in body
    assert "word\n\n*The report is longer than a comment may be: the run has the rest.*\n\n[The run]" in body


def test_a_run_of_no_pull_request_comments_on_nothing(github: GitHub, act: Callable[..., str]) -> None:
    assert act(event={"ref": "refs/heads/main"}).startswith("::notice::This run belongs to no pull request")
    assert github.asked == []


def test_a_report_that_was_not_written_is_a_warning(github: GitHub, act: Callable[..., str]) -> None:
    assert act(report=None).startswith("::warning::There is no refinery-report/report.md: did pytest run with")
    assert github.asked == []


def test_a_token_that_may_not_comment_is_a_warning(github: GitHub, act: Callable[..., str]) -> None:
    github.status = 403
    printed = act()
    assert printed.startswith("::warning::GitHub refused the comment (403 Forbidden).")
    assert "pull requests from forks never get it" in printed


def test_a_github_that_is_down_is_a_warning(github: GitHub, act: Callable[..., str]) -> None:
    github.address = "http://127.0.0.1:9"
    assert act().startswith("::warning::GitHub was not reached for the comment")

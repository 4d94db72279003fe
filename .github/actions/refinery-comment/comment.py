"""Post a report as one comment on the pull request of this run, or update the comment of an earlier run.

Only the standard library, so that any Python 3 of a runner will do. A comment never fails a job: what is in the way is
a warning on the run.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.request
from itertools import count
from pathlib import Path

LONGEST = 65_000  # GitHub takes 65,536 characters
PAGE = 100
SECONDS = 30
HEADING = re.compile(r"^#{2,3} ", re.MULTILINE)


def main() -> None:
    """Do it, or say why not."""
    number = _pull_request()
    if number is None:
        print("::notice::This run belongs to no pull request: there is nothing to comment on.")
        return
    report = Path(os.environ["REFINERY_COMMENT_REPORT"])
    if not report.is_file():
        print(f"::warning::There is no {report}: did pytest run with --refinery --refinery-report {report.parent}?")
        return
    marker = f"<!-- pytest-refinery: {os.environ['REFINERY_COMMENT_KEY'].replace('--', '')} -->"
    body = f"{marker}\n{_fitting(report.read_text(encoding='utf-8'))}\n\n[The run]({_run()})\n"
    try:
        shown = _posted(number, marker, body)
    except urllib.error.HTTPError as error:
        advice = (
            "The job needs `permissions: pull-requests: write`; pull requests from forks never get it."
            if error.code in {401, 403}
            else "The summary of the job has the report."
        )
        print(f"::warning::GitHub refused the comment ({error.code} {error.reason}). {advice}")
    except OSError as error:
        print(f"::warning::GitHub was not reached for the comment ({error}). The summary of the job has the report.")
    else:
        print(f"The report: {shown['html_url']}")


def _pull_request() -> int | None:
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    number = (event.get("pull_request") or {}).get("number")
    return int(number) if number else None


def _fitting(report: str) -> str:
    """Return the report, up to the last heading before it gets too long."""
    if len(report) <= LONGEST:
        return report.rstrip()
    ends = [found.start() for found in HEADING.finditer(report, 1, LONGEST)]
    end = ends[-1] if ends else report.rindex("\n", 0, LONGEST)
    return f"{report[:end].rstrip()}\n\n*The report is longer than a comment may be: the run has the rest.*"


def _run() -> str:
    repository = f"{os.environ['GITHUB_SERVER_URL']}/{os.environ['GITHUB_REPOSITORY']}"
    return f"{repository}/actions/runs/{os.environ['GITHUB_RUN_ID']}"


def _posted(number: int, marker: str, body: str) -> dict[str, object]:
    comments = f"/issues/{number}/comments"
    for page in count(1):
        found = _asked("GET", f"{comments}?per_page={PAGE}&page={page}")
        for comment in found:
            # Anybody may write the marker; only our own comment is ours to change.
            if comment["user"]["login"] == os.environ["REFINERY_COMMENT_AUTHOR"] and comment["body"].startswith(marker):
                return _asked("PATCH", f"/issues/comments/{comment['id']}", body)
        if len(found) < PAGE:
            break
    return _asked("POST", comments, body)


def _asked(method: str, path: str, body: str | None = None):  # noqa: ANN202  (what GitHub's JSON holds)
    request = urllib.request.Request(
        f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}{path}",
        method=method,
        data=None if body is None else json.dumps({"body": body}).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {os.environ['REFINERY_COMMENT_TOKEN']}",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main())

"""Where the ledger of an account is kept, without naming its key."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOUNTS = Path("/proc/self/mountinfo")
_PORTS = {"http": 80, "https": 443}
# gpt-5-mini-2025-08-07, claude-x-20250807: snapshots of one model.
_DATE = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|20\d{6})$", re.ASCII)
_NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "fuse.sshfs", "lustre")


def account(*, base_url: str, model: str, key: str) -> str:
    """Return a name for the account, from which no one can tell the key.

    Spellings of one address are one account, and so are a model and its dated versions, which share a limit.
    """
    written = "\n".join((_normalized(base_url), _DATE.sub("", model.strip()), key))
    return hashlib.sha256(written.encode()).hexdigest()[:32]


def _normalized(url: str) -> str:
    parts = urlsplit(url.strip())
    try:
        port = parts.port
    except ValueError:
        return url.strip().rstrip("/")
    scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    shown = "" if port in {None, _PORTS.get(scheme)} else f":{port}"
    return f"{scheme}://{host}{shown}{parts.path.rstrip('/')}" + (f"?{parts.query}" if parts.query else "")


def state_file(account_name: str, environment: Mapping[str, str], *, platform: str = sys.platform) -> Path:
    """Return the file of an account's ledger in the user's cache directory."""
    return _cache(environment, platform) / "pytest-refinery" / f"budget-{account_name}.json"


def estimates_file(account_name: str, environment: Mapping[str, str], *, platform: str = sys.platform) -> Path:
    """Return the file of what requests to an account have cost, beside its ledger."""
    return state_file(account_name, environment, platform=platform).with_name(f"costs-{account_name}.json")


def network_file_system(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """Return the kind of network file system that a path is on, if it is on one that we know of."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    places = dict(filter(None, map(_mount, lines)))
    nearest = next((str(folder) for folder in (path, *path.parents) if str(folder) in places), "")
    kind = places.get(nearest, "")
    return kind if kind.startswith(_NETWORK) else None


def _mount(line: str) -> tuple[str, str] | None:
    """Read a line of mountinfo: the mount point is the fifth field, the kind the first after the dash."""
    before, dash, after = line.partition(" - ")
    fields = before.split()
    return (fields[4].replace("\\040", " "), after.split()[0]) if dash and len(fields) > 4 else None  # noqa: PLR2004


# Not platformdirs: it brings a pytest plugin, which every run would load.
def _cache(environment: Mapping[str, str], platform: str) -> Path:
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or "~").expanduser()
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local")
    if platform == "darwin":
        return home / "Library" / "Caches"
    named = environment.get("XDG_CACHE_HOME", "")
    return Path(named) if Path(named).is_absolute() else home / ".cache"

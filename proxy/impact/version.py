"""Two versions of the policy files side by side: each a folder, or a folder in a git revision."""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from proxy.authorise.policyset import MODEL_FILE, POLICY_FILE
from proxy.authorise.reach import Reach
from proxy.authorise.rules import read_rules
from proxy.errors import PolicyError, Problem
from proxy.policy import PII_FILE, PoliciesInForce, read_policies
from proxy.settings import GATEWAY_FILE, read_text

FILES = (MODEL_FILE, POLICY_FILE, PII_FILE, GATEWAY_FILE)
MAX_BLOB_BYTES = 2 * 1024 * 1024

_GIT_TIMEOUT_S = 30


class VersionError(Exception):
    """There is no such version of the files. The message says what was looked for, and where."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the files, under the name that its reader gave it."""

    name: str
    policies: PoliciesInForce
    reach: Reach


def read_version(name: str, supported: Collection[str], now: datetime) -> Version:
    """Read the folder ``name``, or ``REV:path`` out of the git repository around the current folder.

    Raises:
        VersionError: there is no such folder, revision or path.
        PolicyError: the files hold mistakes; every problem's source begins with ``name``.
    """
    try:
        if Path(name).is_dir():
            return _loaded(name, Path(name), supported, now)
        with TemporaryDirectory(prefix="scopegate-") as scratch:
            _check_out(name, Path(scratch))
            return _loaded(name, Path(scratch), supported, now)
    except PolicyError as error:
        problems = [Problem(f"{name}/{each.source}", each.line, each.column, each.message) for each in error.problems]
        raise PolicyError(problems) from None


def _loaded(name: str, folder: Path, supported: Collection[str], now: datetime) -> Version:
    policies, _ = read_policies(folder, supported, now)
    return Version(name, policies, Reach(read_rules(read_text(folder / POLICY_FILE), POLICY_FILE)))


def _check_out(name: str, folder: Path) -> None:
    """Write those of the policy files into ``folder`` that the revision has."""
    revision, colon, path = name.partition(":")
    if not colon or not revision:
        raise VersionError(f"{name}: no such folder; a git revision is written REV:path, such as main:policies")
    try:
        commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
    except VersionError as error:
        raise VersionError(str(error) or f"{name}: git knows no revision {revision!r} here") from None
    tree = f"{commit}:{path.rstrip('/')}"
    try:
        present = _git("ls-tree", "-z", "--name-only", tree).decode().split("\0")
    except VersionError:
        raise VersionError(f"{name}: revision {revision} has no folder {path or '/'!r}") from None
    for file in FILES:
        if file in present:
            (folder / file).write_bytes(_blob(name, f"{tree}/{file}" if path else f"{tree}{file}"))


def _blob(name: str, spelled: str) -> bytes:
    if int(_git("cat-file", "-s", spelled)) > MAX_BLOB_BYTES:
        raise VersionError(f"{name}: {spelled.rpartition(':')[2]} is larger than {MAX_BLOB_BYTES} bytes")
    return _git("cat-file", "blob", spelled)


def _git(*words: str) -> bytes:
    """What git answers.

    Raises:
        VersionError: it refused, with its first line, or there is no git.
    """
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and what users give stands behind --end-of-options or a hash
            ["git", *words],  # noqa: S607 - git is where the user's PATH says
            capture_output=True,
            check=False,
            timeout=_GIT_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VersionError(f"git cannot be run: {type(error).__name__}") from None
    if done.returncode:
        raise VersionError(done.stderr.decode(errors="replace").partition("\n")[0])
    return done.stdout

"""The tutorial, command by command, against a gateway of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import POLICIES, ROOT, LiveGateway, serving

TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(bash setup|bash|text)\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)
DEADLINE_S = 120


@pytest.fixture(scope="module")
def own_gateway(tmp_path_factory) -> Iterator[LiveGateway]:
    with serving(tmp_path_factory.mktemp("tutorial") / "data", POLICIES) as gateway:
        yield gateway


def test_every_command_answers_as_the_tutorial_shows(own_gateway: LiveGateway, tmp_path: Path) -> None:
    steps = list(steps_of(BLOCKS))
    assert len(steps) >= 9
    outputs = run_all([commands for commands, _ in steps], own_gateway, tmp_path)
    for (commands, shown), output in zip(steps, outputs, strict=True):
        position = 0
        for line in shown.splitlines():
            found = output.find(line, position)
            assert found >= 0, f"{line!r} does not come up in\n{output}\nafter\n{commands}"
            position = found


def steps_of(blocks: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """(commands, output shown) of each step; the set-up shows nothing."""
    for position, (kind, text) in enumerate(blocks):
        if kind != "text":
            shown = blocks[position + 1][1] if blocks[position + 1][0] == "text" else ""
            yield text, shown


def run_all(commands: list[str], gateway: LiveGateway, folder: Path) -> list[str]:
    """What each step prints, all run by one shell."""
    script = folder / "tutorial.sh"
    script.write_text("set -eu\n" + "\necho; echo '---8<---'\n".join(commands), encoding="utf-8")
    tools = f"{curl_folder(folder)}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": tools, "SCOPEGATE_URL": gateway.url, "SCOPEGATE_DATA": str(gateway.data)}
    done = subprocess.run(
        ["bash", str(script)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split("---8<---")


def curl_folder(folder: Path) -> Path:
    """A folder with what the tutorial needs of curl, so that the test runs on a machine without it."""
    stand_in = folder / "curl"
    stand_in.write_text(f"#!{sys.executable}\n" + CURL, encoding="utf-8")
    stand_in.chmod(0o755)
    return folder


CURL = """
import sys
import httpx

words, headers, data, url = sys.argv[1:], {}, None, None
while words:
    word = words.pop(0)
    if word == "-s":
        continue
    elif word == "-H":
        name, _, value = words.pop(0).partition(": ")
        headers[name] = value
    elif word == "-d":
        data = words.pop(0).encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    elif word.startswith("-"):
        sys.exit(f"the stand-in for curl does not know {word}")
    else:
        url = word
sys.stdout.write(httpx.request("POST" if data is not None else "GET", url, headers=headers, content=data).text)
"""

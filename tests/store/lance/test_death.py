from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.store.builders import may_forget
from tests.store.conformance import everything
from tests.store.lance.rig import opened

ROOT = Path(__file__).parents[3]


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    folder = tmp_path / "memories"
    for round_ in range(2):
        stored, forgotten = acknowledged_before_death(folder, after_lines=100 + 77 * round_)
        async with opened(folder, dimension=16) as store:
            located = await store.locate(sorted(stored))
            assert located.keys() >= stored - forgotten
            assert not located.keys() & forgotten
            everywhere = [one.id for one in await everything(store)]
            for path in await store.scopes():
                await store.forget(may_forget(str(path)), everywhere)


def acknowledged_before_death(folder: Path, after_lines: int) -> tuple[set[str], set[str]]:
    """The ids that a writing process said were stored, and forgotten, until it was killed."""
    command = [sys.executable, "-m", "tests.store.lance.acknowledging_writer", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(after_lines)]
        writer.kill()
        lines += writer.stdout.read().splitlines(keepends=True)
    assert "" not in lines, "the writer ended by itself"
    said = [line.split() for line in lines if line.endswith("\n")]
    stored, forgotten = ({one for what, one in said if what == wanted} for wanted in ("stored", "forgotten"))
    return stored, forgotten

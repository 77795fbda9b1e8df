from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from store.embed.hashing import HashingEmbedder
from store.errors import (
    DatasetDamaged,
    DatasetLocked,
    DatasetRefused,
    DatasetTooNew,
    EmbedderMismatch,
    StoreUnavailable,
)
from store.lance import LanceStore
from tests.store.builders import may_forget, may_read, may_write, memory
from tests.store.conformance import ANY, everything
from tests.store.lance.rig import opened


async def test_memories_survive_reopening(tmp_path: Path) -> None:
    kept, gone = memory("kept 🚀", metadata={"tag": ["red"]}), memory("gone", "org/acme/agent/a")
    async with opened(tmp_path) as store:
        await store.remember(may_write(), [kept])
        await store.remember(may_write("org/acme/agent/a"), [gone])
        await store.forget(may_forget("org/acme/agent/a"), [gone.id])
    async with opened(tmp_path) as store:
        assert await everything(store) == [kept]
        assert await store.scopes() == {kept.scope, gone.scope}
        newer = memory("newer", "org/other")
        await store.remember(may_write("org/other"), [newer])
        assert await store.list(may_read("org/acme"), ANY, 9) == [kept]
    async with opened(tmp_path) as store:
        assert await everything(store) == [newer, kept]


async def test_a_second_store_on_the_folder_is_refused_until_the_first_closes(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(DatasetLocked) as caught:
            await LanceStore.open(tmp_path, HashingEmbedder())
        assert str(tmp_path) in str(caught.value)
    async with opened(tmp_path) as store:
        await store.check()


@contextmanager
def held_by_another_process(lock: Path) -> Iterator[None]:
    program = (
        "import sys; from filelock import FileLock; lock = FileLock(sys.argv[1]); lock.acquire();"
        " print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield
        holder.communicate("")


async def test_another_process_on_the_folder_is_refused_until_it_ends(tmp_path: Path) -> None:
    with held_by_another_process(tmp_path / ".lock"), pytest.raises(DatasetLocked):
        await LanceStore.open(tmp_path, HashingEmbedder())
    async with opened(tmp_path) as store:
        await store.check()


async def test_another_embedder_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    one = memory()
    async with opened(tmp_path) as store:
        await store.remember(may_write(), [one])
    with pytest.raises(EmbedderMismatch) as caught:
        await LanceStore.open(tmp_path, HashingEmbedder(64))
    for named in (str(tmp_path), "hashing-256", "hashing-64"):
        assert named in str(caught.value)
    async with opened(tmp_path) as store:
        assert await everything(store) == [one]


async def test_a_dataset_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    identity = json.loads((tmp_path / "dataset.json").read_text())
    (tmp_path / "dataset.json").write_text(json.dumps({**identity, "schema_version": 2, "new": "field"}))
    with pytest.raises(DatasetTooNew, match="upgrade"):
        await LanceStore.open(tmp_path, HashingEmbedder())


def break_identity(folder: Path) -> None:
    (folder / "dataset.json").write_text('{"schema_version": 1')


def forge_identity(folder: Path) -> None:
    (folder / "dataset.json").write_text("[]")


def age_identity(folder: Path) -> None:
    identity = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**identity, "schema_version": 0}))


def lose_identity(folder: Path) -> None:
    (folder / "dataset.json").unlink()


def lose_memories(folder: Path) -> None:
    (folder / "memories.lance").rename(folder / "elsewhere")


def lose_registry(folder: Path) -> None:
    (folder / "scopes.lance").rename(folder / "elsewhere")


def empty_newest_manifest(folder: Path) -> None:
    # Version numbers count down from the greatest: the first by name is the newest.
    newest = min((folder / "memories.lance" / "_versions").glob("*.manifest"))
    newest.write_bytes(b"")


def empty_data_file(folder: Path) -> None:
    [file] = (folder / "memories.lance" / "data").glob("*.lance")
    file.write_bytes(b"")


def lose_data_file(folder: Path) -> None:
    [file] = (folder / "memories.lance" / "data").glob("*.lance")
    file.unlink()


def lose_registry_rows(folder: Path) -> None:
    [file] = (folder / "scopes.lance" / "data").glob("*.lance")
    file.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        break_identity,
        forge_identity,
        age_identity,
        lose_identity,
        lose_memories,
        lose_registry,
        empty_newest_manifest,
        empty_data_file,
        lose_data_file,
        lose_registry_rows,
    ],
)
async def test_a_damaged_dataset_is_refused_with_what_to_do(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    async with opened(tmp_path) as store:
        await store.remember(may_write(), [memory("private words")])
    damage(tmp_path)
    for _ in range(2):
        with pytest.raises(DatasetDamaged) as caught:
            await LanceStore.open(tmp_path, HashingEmbedder())
        assert str(tmp_path) in str(caught.value)
        assert "backup" in str(caught.value)
        assert "private" not in str(caught.value)


async def test_a_creation_that_was_cut_off_is_begun_anew(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    lose_identity(tmp_path)
    (tmp_path / "dataset.json.draft").write_text('{"schema')
    async with opened(tmp_path) as store:
        await store.remember(may_write(), [memory()])
        assert len(await everything(store)) == 1


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        await LanceStore.open(tmp_path / "file" / "memories", HashingEmbedder())


def test_every_refusal_is_a_refused_dataset() -> None:
    for refusal in (DatasetLocked, EmbedderMismatch, DatasetTooNew, DatasetDamaged):
        assert issubclass(refusal, DatasetRefused)

"""The policy folder: a change is taken whole or not at all, and what was good stays in force."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from proxy import policyfolder
from proxy.authorise.decision import Action
from proxy.errors import PolicyError
from proxy.policy import load_policies
from proxy.policyfolder import PolicyFolder
from proxy.principal import Caller, Principal
from store.scope import Scope
from tests.proxy.api.rig import QuickDetector, Rig, eventually, refused
from tests.world import NOTES, POLICIES, SHARED, ManualClock, World, open_world

pytestmark = pytest.mark.anyio

FILES = ("gateway.yaml", "model.conf", "pii.yaml", "policy.csv")
NEWCOMER = Caller(Principal.parse("agent:newcomer"), "key")
GRANT = f"p, agent:newcomer, {SHARED}, write, allow\n"
DETECTOR = QuickDetector()
BAD_GRANT = f"p, agent:newcomer, {SHARED}, write, alow\n"


def copied(to: Path) -> Path:
    """The shipped policies without their tests: here they change at will."""
    return Path(shutil.copytree(POLICIES, to, ignore=shutil.ignore_patterns("tests", "schema")))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return copied(tmp_path / "policies")


@pytest.fixture
def folder(files: Path) -> PolicyFolder:
    return PolicyFolder(files, DETECTOR, ManualClock())


def add(files: Path, text: str, name: str = "policy.csv") -> None:
    path = files / name
    path.write_text(path.read_text("utf-8") + text, "utf-8")


def newcomer_may_write(folder: PolicyFolder) -> bool:
    return folder.in_force.authoriser.explain(NEWCOMER, Action.WRITE, Scope.parse(SHARED)).allowed


# Loading


def test_the_version_names_the_content_of_every_file(files: Path) -> None:
    before = load_policies(files, DETECTOR, ManualClock()())
    assert set(before.files) == set(FILES)
    versions = {before.version}
    for name in FILES:
        add(files, "\n# a comment\n", name)
        versions.add(load_policies(files, DETECTOR, ManualClock()()).version)
    assert len(versions) == 1 + len(FILES)


def test_without_gateway_yaml_everything_is_default(files: Path) -> None:
    (files / "gateway.yaml").unlink()
    loaded = load_policies(files, DETECTOR, ManualClock()())
    assert set(loaded.files) == set(FILES) - {"gateway.yaml"}
    assert not loaded.config.is_shared(Scope.parse(NOTES))


def test_a_folder_with_a_mistake_does_not_start_a_gateway(files: Path) -> None:
    add(files, BAD_GRANT)
    with pytest.raises(PolicyError, match=r"policy\.csv"):
        PolicyFolder(files, DETECTOR, ManualClock())


def test_the_mistakes_of_all_files_are_told_at_once(files: Path) -> None:
    add(files, BAD_GRANT)
    add(files, "\nlimtis: {}\n", "gateway.yaml")
    add(files, "\nruls: []\n", "pii.yaml")
    add(files, "\nnonsense\n", "model.conf")
    with pytest.raises(PolicyError) as caught:
        load_policies(files, DETECTOR, ManualClock()())
    assert {problem.source for problem in caught.value.problems} == set(FILES)


# Reloading


async def test_a_good_change_is_in_force_when_reload_returns(folder: PolicyFolder, files: Path) -> None:
    before = folder.in_force
    assert not newcomer_may_write(folder)
    add(files, GRANT)
    assert await folder.reload() is folder.in_force
    assert newcomer_may_write(folder)
    assert folder.in_force.loaded_at > before.loaded_at


async def test_nothing_changed_is_nothing_replaced(folder: PolicyFolder) -> None:
    before = folder.in_force
    assert await folder.reload() is before


def _write(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda files: (files / name).write_bytes(content)


def _add(name: str, text: str) -> Callable[[Path], None]:
    return lambda files: add(files, text, name)


def _remove(name: str) -> Callable[[Path], None]:
    return lambda files: (files / name).unlink()


def _folder(name: str) -> Callable[[Path], None]:
    def change(files: Path) -> None:
        (files / name).unlink()
        (files / name).mkdir()

    return change


def _loose_link(name: str) -> Callable[[Path], None]:
    def change(files: Path) -> None:
        (files / name).unlink()
        (files / name).symlink_to(files / "nowhere")

    return change


MISTAKES = {
    "a mistyped effect": (_add("policy.csv", BAD_GRANT), "policy.csv"),
    "a mistyped action": (_add("policy.csv", f"p, agent:newcomer, {SHARED}, wirte, allow\n"), "policy.csv"),
    "a bad pattern": (_add("policy.csv", "p, agent:newcomer, org/acme/project, write, allow\n"), "policy.csv"),
    "a look-alike letter": (_add("policy.csv", f"p, аgent:newcomer, {SHARED}, write, allow\n"), "policy.csv"),
    "half a line": (_add("policy.csv", "p, agent:newc"), "policy.csv"),
    "policy.csv that is not UTF-8": (_write("policy.csv", b"p, caf\xe9"), "policy.csv"),
    "policy.csv of zeros": (_write("policy.csv", bytes(512)), "policy.csv"),
    "no model": (_write("model.conf", b""), "model.conf"),
    "another model": (_add("model.conf", "\n[policy_effect]\ne = some(where (p.eft == allow))\n"), "model.conf"),
    "an unknown verdict": (
        _add("pii.yaml", "\nrules: [{scope: /**, entities: [PERSON], verdict: hodl}]\n"),
        "pii.yaml",
    ),
    "an empty pii.yaml": (_write("pii.yaml", b""), "pii.yaml"),
    "pii.yaml cut short": (
        lambda files: _write("pii.yaml", (files / "pii.yaml").read_bytes()[:-30])(files),
        "pii.yaml",
    ),
    "an entity that nobody finds": (
        _write("pii.yaml", b"version: 1\nrules: [{scope: /**, entities: [PESRON], verdict: hold}]\n"),
        "pii.yaml",
    ),
    "an unknown limit": (_add("gateway.yaml", "\nlimits: {body_max: 3}\n"), "gateway.yaml"),
    "YAML that is none": (_add("gateway.yaml", "\n\t- ["), "gateway.yaml"),
} | {
    f"{name} {what}": (change(name), name)
    for name in FILES
    for what, change in {"removed": _remove, "made a folder": _folder, "a link to nowhere": _loose_link}.items()
}


@pytest.mark.parametrize(("change", "source"), MISTAKES.values(), ids=MISTAKES)
async def test_after_a_mistake_the_last_good_policy_stays(
    folder: PolicyFolder, files: Path, change: Callable[[Path], None], source: str
) -> None:
    before = folder.in_force
    change(files)
    with pytest.raises(PolicyError):
        await folder.reload()
    assert folder.in_force is before
    assert folder.refused is not None
    assert {problem.source for problem in folder.refused.problems} == {source}
    for name in FILES:
        path = files / name
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        shutil.copy(POLICIES / name, path)
    await folder.reload()
    assert folder.refused is None


async def test_good_files_beside_a_bad_one_are_not_taken_either(folder: PolicyFolder, files: Path) -> None:
    add(files, GRANT)
    add(files, "\nlimtis: {}\n", "gateway.yaml")
    with pytest.raises(PolicyError):
        await folder.reload()
    assert not newcomer_may_write(folder)


async def test_reloads_at_the_same_time_end_with_what_is_on_disk(folder: PolicyFolder, files: Path) -> None:
    add(files, GRANT)
    await asyncio.gather(*(folder.reload() for _ in range(5)))
    assert newcomer_may_write(folder)
    assert folder.in_force.files == load_policies(files, DETECTOR, ManualClock()()).files


# Watching


@pytest.fixture
async def watched(folder: PolicyFolder, monkeypatch) -> AsyncIterator[PolicyFolder]:
    monkeypatch.setattr(policyfolder, "_LOOK_AGAIN_S", 0.05)
    monkeypatch.setattr(policyfolder, "_DEBOUNCE_MS", 40)
    task = asyncio.create_task(folder.watch())
    yield folder
    assert not task.done()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _in_place(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")


def _by_rename(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.tmp")
    new.write_text(text, "utf-8")
    new.replace(path)


def _like_vim(path: Path, text: str) -> None:
    swap, backup = path.with_name(f".{path.name}.swp"), path.with_name(f"{path.name}~")
    swap.write_bytes(b"b0VIM 9.0")
    path.with_name("4913").touch()
    path.with_name("4913").unlink()
    path.rename(backup)
    path.write_text(text, "utf-8")
    backup.unlink()
    swap.unlink()


def _like_a_mounted_volume(path: Path, text: str) -> None:
    version = path.parent / "..v2"
    version.mkdir()
    (version / path.name).write_text(text, "utf-8")
    link = path.with_name("..link")
    link.symlink_to(version / path.name)
    link.replace(path)


@pytest.mark.parametrize("save", [_in_place, _by_rename, _like_vim, _like_a_mounted_volume])
async def test_a_saved_change_is_noticed(watched: PolicyFolder, files: Path, save: Callable[[Path, str], None]) -> None:
    path = files / "policy.csv"
    save(path, path.read_text("utf-8") + GRANT)
    await eventually(lambda: newcomer_may_write(watched))
    assert watched.refused is None


async def test_the_file_system_tells_of_a_change_before_the_next_look(
    folder: PolicyFolder, files: Path, monkeypatch
) -> None:
    monkeypatch.setattr(policyfolder, "_stamp", lambda _folder: ())
    told = asyncio.Event()
    reload = folder.reload

    async def reloaded() -> object:
        told.set()
        return await reload()

    monkeypatch.setattr(folder, "reload", reloaded)
    task = asyncio.create_task(folder.watch())

    def noticed() -> bool:
        # Again and again, since nobody says when the watch has begun.
        (files / "policy.csv").touch()
        return told.is_set()

    await eventually(noticed)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_noticed_mistake_is_told_and_a_mended_one_forgotten(watched: PolicyFolder, files: Path) -> None:
    before, good = watched.in_force, (files / "policy.csv").read_text("utf-8")
    add(files, BAD_GRANT)
    await eventually(lambda: watched.refused is not None)
    assert watched.in_force is before
    _by_rename(files / "policy.csv", good)
    await eventually(lambda: watched.refused is None)
    assert watched.in_force is before


async def test_files_beside_the_policies_change_nothing(watched: PolicyFolder, files: Path) -> None:
    before = watched.in_force
    for name in ("policy.csv~", ".policy.csv.swp", "#policy.csv#", "policy.csv.orig", "notes.txt", "policy.csv.tmp"):
        (files / name).write_text(BAD_GRANT, "utf-8")
    add(files, GRANT)
    await eventually(lambda: newcomer_may_write(watched))
    assert watched.refused is None
    assert watched.in_force.files.keys() == before.files.keys()


async def test_a_deleted_folder_leaves_the_last_good_policy_and_may_come_back(
    watched: PolicyFolder, files: Path
) -> None:
    before = watched.in_force
    shutil.rmtree(files)
    await eventually(lambda: watched.refused is not None)
    assert watched.in_force is before
    copied(files)
    await eventually(lambda: watched.refused is None)
    add(files, GRANT)
    await eventually(lambda: newcomer_may_write(watched))


async def test_a_replaced_folder_is_watched_in_its_stead(watched: PolicyFolder, files: Path) -> None:
    copied(files.with_name("checkout"))
    shutil.move(files, files.with_name("old"))
    shutil.move(files.with_name("checkout"), files)
    add(files, GRANT)
    await eventually(lambda: newcomer_may_write(watched))
    add(files, f"p, agent:newcomer, {SHARED}, *, deny\n")
    await eventually(lambda: not newcomer_may_write(watched))


async def test_a_reload_that_fails_in_an_unforeseen_way_does_not_end_the_watch(
    watched: PolicyFolder, files: Path, monkeypatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("nobody foresaw this")

    before = watched.in_force
    with monkeypatch.context() as failing:
        failed = []
        failing.setattr(policyfolder, "load_policies", lambda *_: failed.append(1) or fail())
        add(files, GRANT)
        await eventually(lambda: bool(failed))
        assert watched.in_force is before
    add(files, "# and again\n")
    await eventually(lambda: newcomer_may_write(watched))


# A whole gateway


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path, Rig().parts) as world:
        yield world


async def test_a_good_change_decides_about_the_next_request(world: World) -> None:
    ops, newcomer = await world.agent("human:ops"), await world.agent("agent:newcomer")
    note = {"scope": SHARED, "content": "Found 3 relevant articles."}
    refused(await newcomer.post("/v1/memories", json=note), 403, "forbidden")
    add(world.policies, GRANT)
    version = (await ops.post("/v1/admin/policy/reload")).json()["version"]
    assert (await newcomer.post("/v1/memories", json=note)).status_code == 201
    assert (await newcomer.get("/v1/whoami")).json()["policy_version"] == version


async def test_the_gateway_notices_a_change_itself(world: World) -> None:
    add(world.policies, GRANT)
    await eventually(lambda: newcomer_may_write(world.app.policies))


async def test_a_mistake_shows_wherever_an_operator_looks(world: World) -> None:
    ops = await world.agent("human:ops")
    before = (await ops.get("/v1/admin/policy")).json()
    assert before["refused"] is None
    add(world.policies, BAD_GRANT)
    line = len((world.policies / "policy.csv").read_text("utf-8").splitlines())
    place = f"policy.csv:{line}"
    problem = refused(await ops.post("/v1/admin/policy/reload"), 422, "invalid", {_place(ops, world, line)})
    assert "did you mean" in problem["detail"] or "allow or deny" in problem["detail"]

    status = (await ops.get("/v1/admin/policy")).json()
    assert (status["version"], status["files"], status["loaded_at"]) == (
        before["version"],
        before["files"],
        before["loaded_at"],
    )
    assert status["refused"]["problems"][0].startswith(place)
    ready = await ops.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["policy"]["version"] == before["version"]
    assert ready.json()["policy"]["refused"]["places"][0].startswith(place)
    assert "scopegate_policy_refused 1.0" in (await ops.get("/metrics")).text

    shutil.copy(POLICIES / "policy.csv", world.policies / "policy.csv")
    assert (await ops.post("/v1/admin/policy/reload")).json()["refused"] is None
    assert (await ops.get("/readyz")).json()["policy"]["refused"] is None
    assert "scopegate_policy_refused 0.0" in (await ops.get("/metrics")).text


def _place(_client: object, world: World, line: int) -> str:
    assert world.app.policies.refused is not None
    (problem,) = world.app.policies.refused.problems
    assert problem.line == line
    return problem.place

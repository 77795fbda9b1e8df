"""The deployment files name what exists: paths in the repository, commands and options of the program."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "examples" / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
READMES = sorted((ROOT / "examples").glob("*/README.md"))


def _instructions(name: str) -> Iterator[list[str]]:
    """The words of every instruction of that name, its continued lines joined."""
    for line in DOCKERFILE.replace("\\\n", " ").splitlines():
        if line.startswith(f"{name} "):
            yield line.split()[1:]


def _commands(text: str) -> Iterator[list[str]]:
    """The arguments of every call of ``scopegate`` in the shell blocks of a README."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            called = next((at for at, word in enumerate(words) if Path(word).name == "scopegate"), None)
            if called is not None:
                yield words[called + 1 :]


def _documented_commands() -> list[list[str]]:
    [image_command] = _instructions("CMD")
    in_readmes = [words for readme in READMES for words in _commands(readme.read_text(encoding="utf-8"))]
    return [json.loads(" ".join(image_command))[1:], *in_readmes]


def test_every_path_that_is_copied_exists():
    copied = [words for words in _instructions("COPY") if not words[0].startswith("--from")]
    sources = [source for words in copied for source in words[:-1]]
    assert {"requirements.lock", "pyproject.toml", "proxy", "store"} <= set(sources)
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_build_context_holds_what_is_copied_and_nothing_else():
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {words for line in _instructions("COPY") if not line[0].startswith("--from") for words in line[:-1]}
    assert "*" in ignore
    assert {line.removeprefix("!") for line in ignore if line.startswith("!")} == copied


def test_the_dependencies_are_checked_against_their_hashes():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "--require-hashes -r requirements.lock" in DOCKERFILE
    assert lock.count("==") > 0
    assert "--hash=sha256:" in lock


def test_the_image_runs_as_nobody_in_particular():
    assert list(_instructions("USER"))[-1] == ["10001:10001"]
    assert "/healthz" in " ".join(word for words in _instructions("HEALTHCHECK") for word in words)


def test_every_path_that_is_mounted_exists():
    service = COMPOSE["services"]["gateway"]
    context = (DEPLOY / service["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / service["build"]["dockerfile"]).is_file()
    [policies] = [volume for volume in service["volumes"] if isinstance(volume, dict)]
    assert (DEPLOY / policies["source"] / "policy.csv").resolve().is_file()
    named = {volume.split(":")[0] for volume in service["volumes"] if isinstance(volume, str)}
    assert named == set(COMPOSE["volumes"])


def test_the_service_is_closed_by_default():
    service = COMPOSE["services"]["gateway"]
    [policies] = [volume for volume in service["volumes"] if isinstance(volume, dict)]
    assert policies["read_only"]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_the_mounted_paths_are_those_that_the_command_serves():
    [image_command] = _instructions("CMD")
    words = json.loads(" ".join(image_command))
    assert "data:/data" in COMPOSE["services"]["gateway"]["volumes"]
    assert words[words.index("--data") + 1] == "/data"
    assert words[words.index("--policies") + 1] == "/policies"


def test_there_are_commands_to_check():
    called = [words[:2] for words in _documented_commands()]
    assert ["key", "create"] in called
    assert ["policy", "check"] in called
    assert called[0][0] == "serve"


@pytest.mark.parametrize("words", _documented_commands(), ids=" ".join)
def test_every_command_and_option_exists(words):
    # Imported here: the paths above can be checked without the whole program.
    from proxy.cli.main import app  # noqa: PLC0415

    command, arguments = _resolved(typer.main.get_command(app), words)
    # Only parsed, not validated: the paths in the arguments exist where the command will run, not here.
    _, left_over, _ = command.make_parser(command.context_class(command)).parse_args(list(arguments))
    assert left_over == []


def _resolved(command, words):
    """The command that ``words`` lead to, and the arguments that are left."""
    while commands := getattr(command, "commands", None):
        assert words[0] in commands, f"there is no command {words[0]!r}, only {sorted(commands)}"
        command, words = commands[words[0]], words[1:]
    return command, words

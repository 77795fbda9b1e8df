"""What all commands have in common: help, environment variables, and errors that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import typer

from proxy.cli.main import app

KEY = f"sg_{'a' * 12}_{'b' * 43}"
NO_GATEWAY = "http://127.0.0.1:1"


def _commands() -> Iterator[tuple[tuple[str, ...], object]]:
    """Every command and group with the words that call it."""
    waiting = [((), typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop()
        yield words, command
        waiting += [((*words, name), each) for name, each in getattr(command, "commands", {}).items()]


COMMANDS = dict(_commands())


def test_there_are_commands() -> None:
    assert {("serve",), ("key", "create"), ("policy", "reload"), ("hold", "approve"), ("audit", "verify")} <= set(
        COMMANDS
    )


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_and_every_option_names_its_environment_variable(scopegate, words) -> None:
    told = scopegate(*words, "--help")

    assert told.code == 0
    assert "Usage: scopegate" in told.out
    listed = [param for param in COMMANDS[words].params if param.param_type_name == "option"]
    options = [param for param in listed if not {"--help", "--version"} & set(param.opts)]
    for option in options:
        [line] = [line for line in told.out.splitlines() if re.search(rf"{option.opts[0]}\s", line)]
        assert re.search(r"env var: SCOPEGATE_[A-Z_]+", line), line
        assert option.help, option.opts


def test_the_version_is_shown(scopegate) -> None:
    assert re.fullmatch(r"scopegate \d+\.\d+\.\d+\n", scopegate("--version").out)


@pytest.mark.parametrize(
    ("words", "env", "named"),
    [
        (["frobnicate"], {}, "frobnicate"),
        (["key", "create"], {}, "PRINCIPAL"),
        (["key", "create", "nobody"], {}, "kind:name"),
        (["key", "create", "role:operator"], {}, "role:"),
        (["key", "create", "agent:x", "--floor", "org"], {}, "--floor"),
        (["key", "create", "agent:x", "--floor", "org/acme/org/b"], {}, "--floor"),
        (["key", "create", "agent:x"], {"SCOPEGATE_KEY_CREATE_FLOOR": "nonsense"}, "--floor"),
        (["key", "create", "agent:x", "--expires-in", "soon"], {}, "--expires-in"),
        (["key", "create", "agent:x", "--expires-in", "0s"], {}, "--expires-in"),
        (["key", "create", "agent:x", "--expires-in", "999999w"], {}, "--expires-in"),
        (["key", "create", "agent:x", "--format", "xml"], {}, "--format"),
        (["key", "create", "agent:x"], {"SCOPEGATE_FORMAT": "xml"}, "SCOPEGATE_FORMAT"),
        (["key", "rotate", "a" * 12, "--overlap", "-1s"], {}, "--overlap"),
        (["key", "rotate"], {}, "ID"),
        (["audit", "verify", "--anchor", "12"], {}, "--anchor"),
        (["audit", "list", "--limit", "0"], {}, "--limit"),
        (["hold", "list", "--state", "odd"], {}, "--state"),
        (["hold", "list", "--limit", "101"], {}, "--limit"),
        (["serve", "--port", "http"], {}, "--port"),
        (["serve"], {"SCOPEGATE_PORT": "65536"}, "SCOPEGATE_PORT"),
        (["serve", "--log-level", "loud"], {}, "--log-level"),
        (["serve", "--log-format", "xml"], {}, "--log-format"),
        (["serve", "--no-such-option"], {}, "--no-such-option"),
    ],
)
def test_a_usage_error_ends_with_2_and_names_what_is_wrong(scopegate, tmp_path, words, env, named) -> None:
    told = scopegate(*words, **env)

    assert told.code == 2
    assert named in told.err
    assert told.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["key", "list"], "--data"),
        (["key", "rotate", "a" * 12], "--data"),
        (["key", "revoke", "a" * 12, "--data", "nowhere"], "nowhere"),
        (["audit", "verify"], "--data"),
        (["audit", "list", "--data", "file"], "file"),
        (["key", "create", "agent:x", "--data", "file"], "file"),
        (["key", "create", "agent:x", "--data", "file/below"], "file/below"),
        (["key", "list", "--data", "garbage"], "cannot open"),
        (["audit", "verify", "--data", "garbage"], "cannot open"),
        (["key", "list", "--data", "folder"], "cannot open"),
        (["key", "list", "--data", "x" * 300], "x" * 300),
        (["hold", "list"], "SCOPEGATE_KEY"),
        (["policy", "status"], "SCOPEGATE_KEY"),
        (["policy", "reload", "--key", "mine"], "--key"),
        (["hold", "list", "--key", "schlüssel"], "--key"),
        (["hold", "list", "--key", KEY, "--url", "nonsense"], "--url"),
        (["hold", "list", "--key", KEY, "--url", "http://[::"], "--url"),
        (["hold", "list", "--key", KEY, "--url", "localhost:8080"], "--url"),
        (["hold", "show", "x/../y", "--key", KEY, "--url", NO_GATEWAY], NO_GATEWAY),
        (["policy", "status", "--key", KEY, "--url", NO_GATEWAY], NO_GATEWAY),
        (["demo"], "--examples"),
    ],
)  # fmt: skip
def test_a_failure_ends_with_1_and_one_line_that_says_what_to_do(scopegate, tmp_path, words, named) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "garbage").mkdir()
    (tmp_path / "garbage" / "gateway.sqlite3").write_bytes(b"no database " * 100)
    (tmp_path / "folder" / "gateway.sqlite3").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))

    told = scopegate(*words)

    assert told.code == 1
    assert told.err.startswith("error ")
    assert len(told.err.strip().splitlines()) == 1, told.err
    assert named in told.err
    assert told.out == ""
    assert KEY not in told.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("words", [["policy", "check", "nowhere"], ["policy", "check", "file"], ["policy", "check"]])
def test_policy_files_that_are_not_there_end_with_3(scopegate, tmp_path, words) -> None:
    (tmp_path / "file").write_text("no folder")

    told = scopegate(*words)

    assert told.code == 3
    assert re.search(r"policy\.csv: (error: )?cannot be read", told.out + told.err)

"""``scopegate policy fmt``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proxy.cli.policy.conftest import Run, edit

POLICY = "p, role:a,  project/q3/org/acme, write|read, allow\np, role:longer, org/acme, read, allow\n"
LOOK = (
    "p, role:a,      org/acme/project/q3, read|write, allow\np, role:longer, org/acme,            read,       allow\n"
)


@pytest.mark.parametrize("place", [".", "policy.csv"])
def test_a_file_is_formatted_in_its_place(folder: Path, scopegate: Run, place: str) -> None:
    path = folder / "policy.csv"
    path.write_text(POLICY)
    path.chmod(0o640)
    assert scopegate("fmt", folder / place).stdout == f"{path}: formatted\n"
    assert (path.read_text(), path.stat().st_mode & 0o777) == (LOOK, 0o640)
    assert scopegate("fmt", folder / place).stdout == f"{path}: already formatted\n"
    assert sorted(each.name for each in folder.iterdir() if each.name.startswith(".")) == []


def test_the_order_of_terms_is_the_gateways(folder: Path, scopegate: Run) -> None:
    (folder / "policy.csv").write_text(POLICY)
    edit(folder / "gateway.yaml", "[org, team, project, user, agent, session]", "[project, org]")
    scopegate("fmt", folder)
    assert "project/q3/org/acme, read|write" in (folder / "policy.csv").read_text()


def test_check_and_diff_change_nothing(folder: Path, scopegate: Run) -> None:
    path = folder / "policy.csv"
    path.write_text(POLICY)
    assert scopegate("fmt", folder, "--check", expect=1).stdout == f"{path}: would be formatted\n"
    shown = scopegate("fmt", folder, "--diff").stdout.splitlines()
    assert [line for line in shown if line.startswith(("+p", "-p"))] == [
        *(f"-{line}" for line in POLICY.splitlines()),
        *(f"+{line}" for line in LOOK.splitlines()),
    ]
    assert path.read_text() == POLICY
    path.write_text(LOOK)
    scopegate("fmt", folder, "--check", "--diff")


def test_a_link_stays_a_link(folder: Path, scopegate: Run) -> None:
    path = folder / "policy.csv"
    (folder / "real.csv").write_text(POLICY)
    path.unlink()
    path.symlink_to("real.csv")
    scopegate("fmt", folder)
    assert path.is_symlink()
    assert (folder / "real.csv").read_text() == LOOK


@pytest.mark.parametrize("text", ["p, role:a, org/acme, read, Allow\n", None])
def test_a_file_with_a_mistake_is_refused_and_left_alone(folder: Path, scopegate: Run, text: str | None) -> None:
    path = folder / "policy.csv"
    path.unlink()
    if text is not None:
        path.write_text(text)
    assert "policy.csv:" in scopegate("fmt", folder / "policy.csv", expect=3).stderr
    assert text is None or path.read_text() == text

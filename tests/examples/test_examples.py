"""The examples do what they say, against a live gateway."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

RESEARCHER_WRITER = {
    "SCOPEGATE_KEY_RESEARCHER": "agent:researcher",
    "SCOPEGATE_KEY_WRITER": "agent:writer",
    "SCOPEGATE_KEY_REVIEWER": "agent:reviewer",
}
SUPERVISOR_WORKERS = {
    "SCOPEGATE_KEY_LEAD": "supervisor:lead",
    "SCOPEGATE_KEY_WORKER_1": "agent:worker-1",
    "SCOPEGATE_KEY_WORKER_2": "agent:worker-2",
    "SCOPEGATE_KEY_WORKER_3": "agent:worker-3",
}
PRINCIPALS = {"researcher_writer": RESEARCHER_WRITER, "supervisor_workers": SUPERVISOR_WORKERS}

RESEARCHER_WRITER_SAYS = [
    "Researcher recalls them: ",
    "Researcher publishes the raw note to org/acme/project/q3: BLOCKED, because of US_SSN",
    "Researcher publishes the finding to org/acme/project/q3: pass",
    "Writer     recalls what it may see: Found 3 relevant articles about AI safety.",
    "Writer     looks through org/acme/project/q3/agent/researcher: REFUSED (403)",
    "Writer     asks for the raw note by its id: REFUSED (404)",
    "Reviewer   writes to org/acme/project/q3: REFUSED (403)",
    "Everything went as expected.",
]
SUPERVISOR_WORKERS_SAYS = [
    "lead     sees agent:worker-3: Solar panels work better when they are cool.",
    "lead     shares in org/acme/project/alpha: [batteries] Batteries last longest when they are kept half full.",
    "worker-1 sees 6 shared lines and 2 notes, its own",
    "worker-2 sees 6 shared lines and 2 notes, its own",
    "worker-3 sees 6 shared lines and 2 notes, its own",
    "Everything went as expected.",
]


def _run(example, environment):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SCOPEGATE_")}
    return subprocess.run(
        [sys.executable, str(EXAMPLES / example / "main.py")],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _environment(gateway, example):
    keys = {name: gateway.key(principal) for name, principal in PRINCIPALS[example].items()}
    return {"SCOPEGATE_URL": gateway.url, **keys}


@pytest.mark.parametrize(
    ("example", "lines"),
    [("researcher_writer", RESEARCHER_WRITER_SAYS), ("supervisor_workers", SUPERVISOR_WORKERS_SAYS)],
)
def test_an_example_does_what_it_says_and_does_so_again(gateway, example, lines):
    environment = _environment(gateway, example)
    for _ in range(2):
        done = _run(example, environment)
        assert done.returncode == 0, done.stdout + done.stderr
        for line in lines:
            assert line in done.stdout
        assert done.stderr == ""
        assert not any(key in done.stdout for key in environment.values() if key.startswith("sg_"))


def test_the_example_notices_when_a_promise_does_not_hold(gateway):
    environment = _environment(gateway, "researcher_writer")
    # A Reviewer that may write is what scenario (c) must not let pass.
    environment["SCOPEGATE_KEY_REVIEWER"] = environment["SCOPEGATE_KEY_WRITER"]
    done = _run("researcher_writer", environment)
    assert done.returncode == 1
    assert done.stderr.startswith("FAILED: Unexpected: this should")


@pytest.mark.parametrize("example", PRINCIPALS)
def test_missing_keys_are_named(example):
    done = _run(example, {"SCOPEGATE_URL": "http://127.0.0.1:9"})
    assert done.returncode == 2
    assert done.stdout == ""
    assert all(name in done.stderr for name in PRINCIPALS[example])
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("example", PRINCIPALS)
def test_a_gateway_that_is_not_there_is_told(example):
    keys = dict.fromkeys(PRINCIPALS[example], "sg_none_none")
    done = _run(example, {"SCOPEGATE_URL": "http://127.0.0.1:9", **keys})
    assert done.returncode == 1
    assert "FAILED: ConnectionFailed: POST /v1/sessions: no answer" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("example", PRINCIPALS)
def test_an_example_imports_the_client_and_the_standard_library_only(example):
    source = (EXAMPLES / example / "main.py").read_text(encoding="utf-8")
    imported = {line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= {"scopegate", *sys.stdlib_module_names}


@pytest.mark.parametrize("example", PRINCIPALS)
def test_the_readme_names_the_variables_and_quotes_the_policy(example):
    readme = (EXAMPLES / example / "README.md").read_text(encoding="utf-8")
    policy = (EXAMPLES.parent / "policies" / "policy.csv").read_text(encoding="utf-8").splitlines()
    quoted = [line for line in readme.splitlines() if line.startswith("p, ")]
    assert quoted
    assert [line for line in quoted if line not in policy] == []
    for variable, principal in PRINCIPALS[example].items():
        assert f"export {variable}=" in readme
        assert f"key create {principal} " in readme

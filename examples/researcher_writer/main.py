"""A Researcher and a Writer share a project and a Reviewer looks on: what is private, what is shared, what is refused.

README.md beside this file says how to run it.
"""

import os
import secrets
import sys
from collections.abc import Callable
from typing import TypeVar

from scopegate import BlockedByPublishGate, Client, Forbidden, NotFound, Recall, ScopegateError, Stored

SHARED = "org/acme/project/q3"
RESEARCHER_NOTES = f"{SHARED}/agent/researcher"
WRITER_NOTES = f"{SHARED}/agent/writer"

RAW_NOTE = "Raw data contains PII: user SSN 123-45-6789."
FINDING = "Found 3 relevant articles about AI safety."
DRAFT_NOTE = "Draft has grammatical issues, fixing..."

KEYS = ("SCOPEGATE_KEY_RESEARCHER", "SCOPEGATE_KEY_WRITER", "SCOPEGATE_KEY_REVIEWER")

Refusal = TypeVar("Refusal", bound=ScopegateError)


class Unexpected(Exception):
    """The gateway did something else than this example shows."""


def main() -> int:
    """Run the three scenarios; 0 when all went as they say."""
    missing = [name for name in ("SCOPEGATE_URL", *KEYS) if not os.environ.get(name)]
    if missing:
        print(f"Please set {', '.join(missing)}. README.md says how.", file=sys.stderr)
        return 2
    try:
        run_scenarios()
    except (Unexpected, ScopegateError) as error:
        print(f"FAILED: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print("\nEverything went as expected.")
    return 0


def run_scenarios() -> None:
    """Each agent has a client of its own, because it has a key of its own."""
    researcher, writer, reviewer = (Client(key=os.environ[name]) for name in KEYS)
    run = new_run()
    with researcher, writer, reviewer:
        researcher_shares_a_finding_but_no_raw_data(researcher, writer, run)
        writer_keeps_its_draft_notes(researcher, writer, run)
        reviewer_reads_and_cannot_write(reviewer, run)


def researcher_shares_a_finding_but_no_raw_data(researcher: Client, writer: Client, run: str) -> None:
    """Scenario (a): notes are private, publishing is a decision, and the publish gate looks at what is published."""
    print("(a) The Researcher shares a finding, but no raw data")

    with researcher.sessions.create(scope=RESEARCHER_NOTES) as session:
        raw_note = session.remember(RAW_NOTE, metadata={"run": run})
        finding = session.remember(FINDING, memory_category="knowledge", metadata={"run": run})
        say("Researcher", f"remembers two notes in its own scope, {session.scope}")
        found = session.recall("What does the raw data contain?", metadata={"run": run})
        expect(RAW_NOTE in contents(found), "the Researcher sees its own note")
        say("Researcher", f"recalls them: {shown(found)}")

        blocked = refused_with(BlockedByPublishGate, lambda: session.publish([raw_note.id], to=SHARED))
        kinds = sorted({piece.entity for piece in blocked.findings})
        expect("US_SSN" in kinds, "the publish gate names the social security number")
        say("Researcher", f"publishes the raw note to {SHARED}: BLOCKED, because of {', '.join(kinds)}")

        [published] = session.publish([finding.id], to=SHARED)
        expect(isinstance(published, Stored), "the finding passes the publish gate")
        say("Researcher", f"publishes the finding to {SHARED}: {published.verdict}")

    found = writer.recall("raw data about users", scope=WRITER_NOTES, metadata={"run": run})
    expect(contents(found) == {FINDING}, "the Writer sees the published finding and nothing else")
    say("Writer", f"recalls what it may see: {shown(found)}")

    denied = refused_with(Forbidden, lambda: writer.recall("raw data", scope=RESEARCHER_NOTES))
    say("Writer", f"looks through {RESEARCHER_NOTES}: REFUSED ({denied.status})")
    unknown = refused_with(NotFound, lambda: writer.get(raw_note.id))
    say("Writer", f"asks for the raw note by its id: REFUSED ({unknown.status}), as if there were no such memory")


def writer_keeps_its_draft_notes(researcher: Client, writer: Client, run: str) -> None:
    """Scenario (b): it works the other way round, too."""
    print("\n(b) The Writer's draft notes stay with the Writer")

    writer.remember(DRAFT_NOTE, scope=WRITER_NOTES, metadata={"run": run})
    say("Writer", f"remembers in its own scope: {DRAFT_NOTE}")

    for scope in (RESEARCHER_NOTES, SHARED):
        found = researcher.recall("the draft and its issues", scope=scope, metadata={"run": run})
        expect(DRAFT_NOTE not in contents(found), "the Researcher does not see the Writer's note")
        say("Researcher", f"looks for the draft through {scope} and sees only: {shown(found)}")


def reviewer_reads_and_cannot_write(reviewer: Client, run: str) -> None:
    """Scenario (c): the policy lets the Reviewer read the shared scope, and nothing more."""
    print("\n(c) The Reviewer reads and cannot write")

    found = reviewer.recall("articles about AI safety", scope=SHARED, metadata={"run": run})
    expect(contents(found) == {FINDING}, "the Reviewer sees what is shared and nothing else")
    say("Reviewer", f"recalls from {SHARED}: {shown(found)}")

    denied = refused_with(Forbidden, lambda: reviewer.remember("Looks good.", scope=SHARED))
    say("Reviewer", f"writes to {SHARED}: REFUSED ({denied.status})")
    decision = reviewer.check("write", SHARED)
    expect(not decision.allowed, "the gateway says beforehand that the Reviewer may not write")
    say("Reviewer", f"asks why: {decision.reason}")


def new_run() -> str:
    """A tag for this run's memories, so that those of earlier runs do not get in the way."""
    return "run-" + "".join(secrets.choice("bcdfghjkmnpqrstvwxz") for _ in range(8))


def contents(found: Recall) -> set[str]:
    """The texts that were found."""
    return {memory.content for memory in found}


def shown(found: Recall) -> str:
    """The texts that were found, for people."""
    return " | ".join(sorted(contents(found))) or "nothing"


def say(agent: str, text: str) -> None:
    """Print what an agent did and what it saw."""
    print(f"  {agent:<10} {text}")


def expect(truth: bool, statement: str) -> None:  # noqa: FBT001 (it reads as a sentence)
    """Stop the example unless ``statement`` holds."""
    if not truth:
        raise Unexpected(f"this should hold, but does not: {statement}")


def refused_with(kind: type[Refusal], attempt: Callable[[], object]) -> Refusal:
    """The refusal that ``attempt`` must end in."""
    try:
        attempt()
    except kind as refusal:
        return refusal
    raise Unexpected(f"this should have been refused with {kind.__name__}, but was allowed")


if __name__ == "__main__":
    sys.exit(main())

"""Three Workers research at once, each in a scope of its own; a Supervisor reads them all and shares the result.

README.md beside this file says how to run it.
"""

import asyncio
import os
import secrets
import sys
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from scopegate import AsyncClient, Memory, ScopegateError, Stored

PROJECT = "org/acme/project/alpha"

TOPICS = {"worker-1": "batteries", "worker-2": "heat pumps", "worker-3": "solar panels"}

# Stands in for the web search and the language model of a real worker.
RESEARCH = {
    "batteries": (
        "Batteries last longest when they are kept half full.",
        "Cold batteries give less power and recover when they warm up.",
    ),
    "heat pumps": (
        "A heat pump gives three units of heat for one unit of electricity.",
        "A heat pump works best with large radiators.",
    ),
    "solar panels": (
        "Most solar panels still give ninety percent of their power after twenty years.",
        "Solar panels work better when they are cool.",
    ),
}


class Unexpected(Exception):
    """The gateway did something else than this example shows."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker: its name, its topic, and a client with a key of its own."""

    name: str
    topic: str
    client: AsyncClient

    @property
    def scope(self) -> str:
        """Where this worker keeps its notes. The policy lets only itself and the Supervisor read them."""
        return f"{PROJECT}/agent/{self.name}"

    @property
    def findings(self) -> set[str]:
        """What this worker finds out."""
        return set(RESEARCH[self.topic])


def main() -> int:
    """Run the example; 0 when all went as it says."""
    needed = ["SCOPEGATE_URL", "SCOPEGATE_KEY_LEAD", *(key_variable(name) for name in TOPICS)]
    missing = [name for name in needed if not os.environ.get(name)]
    if missing:
        print(f"Please set {', '.join(missing)}. README.md says how.", file=sys.stderr)
        return 2
    try:
        asyncio.run(run_project())
    except (Unexpected, ScopegateError) as error:
        print(f"FAILED: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print("\nEverything went as expected.")
    return 0


async def run_project() -> None:
    """Research, share, read."""
    run = new_run()
    async with AsyncExitStack() as clients:
        lead = await clients.enter_async_context(AsyncClient(key=os.environ["SCOPEGATE_KEY_LEAD"]))
        workers = [
            Worker(name, topic, await clients.enter_async_context(AsyncClient(key=os.environ[key_variable(name)])))
            for name, topic in TOPICS.items()
        ]

        print("1. The Workers research, all at the same time")
        await asyncio.gather(*(research(worker, run) for worker in workers))

        print("\n2. The Supervisor reads them all and shares what they found")
        await share(lead, await collect(lead, workers, run), run)

        print("\n3. The Workers read what is shared")
        await asyncio.gather(*(read(worker, workers, run) for worker in workers))


async def research(worker: Worker, run: str) -> None:
    """A Worker remembers its findings in its own scope."""
    async with worker.client.sessions.create(scope=worker.scope) as session:
        for finding in RESEARCH[worker.topic]:
            await session.remember(
                content=finding,
                memory_category="knowledge",
                metadata={"run": run, "topic": worker.topic},
            )
            say(worker.name, f"remembers in {session.scope}: {finding}")


async def collect(lead: AsyncClient, workers: list[Worker], run: str) -> list[Memory]:
    """The Supervisor looks through the project, downward, and sees every Worker's notes."""
    page = await lead.list(scope=PROJECT, direction="descendants", metadata={"run": run}, limit=100)
    expected = {finding for worker in workers for finding in worker.findings}
    expect({memory.content for memory in page} == expected, "the Supervisor sees the notes of all Workers")
    for memory in page:
        say("lead", f"sees {memory.provenance.principal}: {memory.content}")
    return list(page)


async def share(lead: AsyncClient, notes: Iterable[Memory], run: str) -> None:
    """The Supervisor stores each finding in the project scope; the gateway keeps which note it comes from."""
    for note in notes:
        topic = note.metadata["topic"]
        [outcome] = await lead.publish(
            [note.id],
            to=PROJECT,
            content=f"[{topic}] {note.content}",
            metadata={"run": run, "topic": topic},
        )
        expect(isinstance(outcome, Stored), "what the Supervisor shares passes the publish gate")
        say("lead", f"shares in {PROJECT}: [{topic}] {note.content}")


async def read(worker: Worker, workers: list[Worker], run: str) -> None:
    """A Worker looks through its own scope and sees what is shared and its own notes, but nobody else's."""
    shared = {f"[{each.topic}] {finding}" for each in workers for finding in each.findings}
    found = await worker.client.recall("What have we found out?", scope=worker.scope, top_k=100, metadata={"run": run})
    seen = {memory.content for memory in found}
    expect(shared <= seen, f"{worker.name} sees all that is shared")
    expect(seen - shared == worker.findings, f"{worker.name} sees its own notes and those of no other Worker")
    say(worker.name, f"sees {len(shared)} shared lines and {len(seen - shared)} notes, its own")


def key_variable(worker_name: str) -> str:
    """The environment variable that holds a Worker's key: ``SCOPEGATE_KEY_WORKER_1`` for ``worker-1``."""
    return "SCOPEGATE_KEY_" + worker_name.upper().replace("-", "_")


def new_run() -> str:
    """A tag for this run's memories, so that those of earlier runs do not get in the way."""
    return "run-" + "".join(secrets.choice("bcdfghjkmnpqrstvwxz") for _ in range(8))


def say(agent: str, text: str) -> None:
    """Print what an agent did and what it saw."""
    print(f"   {agent:<8} {text}")


def expect(truth: bool, statement: str) -> None:  # noqa: FBT001 (it reads as a sentence)
    """Stop the example unless ``statement`` holds."""
    if not truth:
        raise Unexpected(f"this should hold, but does not: {statement}")


if __name__ == "__main__":
    sys.exit(main())

"""Twenty agents under random policies share memory over real HTTP; every answer is the oracle's.

The oracle: a stock Casbin enforcer reads the same files and says which scopes an agent may use, and the reference
store says which memories a search there finds.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import casbin
import httpx

from proxy.authorise.engine import action_match, scope_match
from store.embed.hashing import HashingEmbedder
from store.memory import Category, Memory, Provenance, Selection
from store.permit import ReadPermit, WritePermit
from store.reference import ReferenceStore
from store.scope import Direction, Scope
from tests.world import POLICIES, LiveGateway, serving

SEED = 20261122
AGENTS = 20
MEMORIES = 2_000
RECALLS = 400
TOP_K = 10
AT_ONCE = 16

ROLES = ("role:a", "role:b", "role:c", "role:d")
ORGS, PROJECTS, TEAMS = ("acme", "blue"), ("p1", "p2", "p3"), ("core", "web")
WORDS = [
    "budget",
    "cache",
    "launch",
    "metric",
    "pricing",
    "queue",
    "reactor",
    "release",
    "roadmap",
    "schema",
    "server",
    "sprint",
    "storage",
    "survey",
    "tensor",
    "throughput",
    "token",
    "topic",
    "trace",
    "vector",
    "window",
    "worker",
    "yield",
    "zone",
    "alpha",
    "beta",
    "gamma",
    "delta",
    "kernel",
    "lattice",
    "margin",
    "notebook",
    "orbit",
    "packet",
    "quota",
    "ranking",
    "signal",
    "table",
    "upload",
    "vendor",
    "widget",
]


@dataclass
class Agent:
    name: str
    client: httpx.AsyncClient

    @property
    def principal(self) -> str:
        return f"agent:{self.name}"


@dataclass
class Oracle:
    """What a stock enforcer and the reference store say."""

    enforcer: casbin.Enforcer
    store: ReferenceStore = field(default_factory=lambda: ReferenceStore(HashingEmbedder()))
    known: set[Scope] = field(default_factory=set)
    decided: dict[tuple[str, str, str], bool] = field(default_factory=dict)

    def allows(self, principal: str, action: str, scope: Scope) -> bool:
        question = (principal, scope.path(), action)
        if question not in self.decided:
            self.decided[question] = self.enforcer.enforce(*question)
        return self.decided[question]

    def permit(self, principal: str, lens: Scope, direction: Direction) -> ReadPermit:
        seen = (scope for scope in self.known if scope.seen_through(lens, direction))
        readable = frozenset(scope for scope in seen if self.allows(principal, "read", scope))
        return ReadPermit(principal, readable, "oracle")

    async def remember(self, agent: Agent, memory_id: str, scope: Scope, content: str) -> None:
        now = datetime.now(UTC)
        provenance = Provenance(agent.principal, "", "", "", "")
        memory = Memory(memory_id, scope, content, Category.EPISODIC, now, now, provenance)
        self.known.add(scope)
        await self.store.remember(WritePermit(agent.principal, scope, "oracle"), [memory])


def test_every_answer_equals_the_oracles(tmp_path: Path) -> None:
    luck = random.Random(SEED)
    policies = write_policies(tmp_path / "policies", luck)
    with serving(tmp_path / "data", policies) as gateway:
        asyncio.run(share(gateway, oracle_of(policies), luck))


async def share(gateway: LiveGateway, oracle: Oracle, luck: random.Random) -> None:
    principals = [f"agent:n{number}" for number in range(AGENTS)]
    keys = await asyncio.to_thread(gateway.issue_many, principals)
    agents = [Agent(principal.removeprefix("agent:"), client_for(gateway, key)) for principal, key in keys.items()]
    told = Counter()
    await in_turns([write(oracle, luck.choice(agents), *something(luck, agents), told) for _ in range(MEMORIES)])
    assert told["stored"] + told["denied"] == MEMORIES
    assert min(told.values()) > MEMORIES // 10, "the policies should both allow and deny"
    looks = [look(oracle, luck.choice(agents), luck, agents, told) for _ in range(RECALLS)]
    await in_turns(looks)
    await in_turns([everything(oracle, agent, told) for agent in agents])
    assert min(told[kind] for kind in ("recalled", "refused lens", "listed")) > 0
    for agent in agents:
        await agent.client.aclose()


async def write(oracle: Oracle, agent: Agent, scope: Scope, content: str, told: Counter) -> None:
    answer = await agent.client.post("/v1/memories", json={"scope": scope.path(), "content": content})
    if oracle.allows(agent.principal, "write", scope):
        assert answer.status_code == 201, answer.text
        await oracle.remember(agent, answer.json()["id"], scope, content)
        told["stored"] += 1
    else:
        assert answer.status_code == 403, answer.text
        told["denied"] += 1


async def look(oracle: Oracle, agent: Agent, luck: random.Random, agents: list[Agent], told: Counter) -> None:
    lens, query = something(luck, agents)
    direction = luck.choice(list(Direction))
    body = {"scope": lens.as_dict(), "query": query, "top_k": TOP_K, "direction": direction}
    answer = await agent.client.post("/v1/recall", json=body)
    permit = oracle.permit(agent.principal, lens, direction)
    if answer.status_code == 403:
        below = oracle.permit(agent.principal, lens, Direction.DESCENDANTS)
        assert not below.scopes, "refused a lens below which the agent may read"
        assert not oracle.allows(agent.principal, "read", lens)
        told["refused lens"] += 1
        return
    assert answer.status_code == 200, answer.text
    expected = await oracle.store.recall(permit, query, Selection(), TOP_K)
    found = [(item["id"], item["score"]) for item in answer.json()["items"]]
    assert [memory_id for memory_id, _ in found] == [hit.memory.id for hit in expected]
    assert all(abs(score - hit.score) < 1e-5 for (_, score), hit in zip(found, expected, strict=True))
    told["recalled"] += 1


async def everything(oracle: Oracle, agent: Agent, told: Counter) -> None:
    """All pages of what the agent can list, through every scope that it may read."""
    for lens in [scope for scope in oracle.known if oracle.allows(agent.principal, "read", scope)][:5]:
        listed, cursor = [], None
        while True:
            params = {"scope": lens.path(), "limit": 100} | ({"cursor": cursor} if cursor else {})
            answer = (await agent.client.get("/v1/memories", params=params)).json()
            listed += [item["id"] for item in answer["items"]]
            cursor = answer["next_cursor"]
            if cursor is None:
                break
        permit = oracle.permit(agent.principal, lens, Direction.BOTH)
        expected = await oracle.store.list(permit, Selection(), MEMORIES)
        assert listed == [memory.id for memory in expected]
        told["listed"] += 1


async def in_turns(work) -> None:
    """Run all of it, so many at once."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(step) -> None:
        async with gate:
            await step

    await asyncio.gather(*(one(step) for step in work))


def something(luck: random.Random, agents: list[Agent]) -> tuple[Scope, str]:
    """A scope that may or may not exist, and a text that no gate minds."""
    terms = {"org": luck.choice(ORGS)}
    if luck.random() < 0.8:
        terms["project"] = luck.choice(PROJECTS)
    if luck.random() < 0.3:
        terms["team"] = luck.choice(TEAMS)
    if luck.random() < 0.7:
        terms["agent"] = luck.choice(agents).name
    return Scope.parse(terms), " ".join(luck.sample(WORDS, 7))


def write_policies(folder: Path, luck: random.Random) -> Path:
    folder.mkdir()
    for name in ("model.conf", "pii.yaml"):
        (folder / name).write_text((POLICIES / name).read_text())
    (folder / "gateway.yaml").write_text("version: 1\nembedder: {provider: hashing}\n")
    lines = {policy_line(luck, role) for role in ROLES for _ in range(6)}
    lines |= {policy_line(luck, f"agent:n{luck.randrange(AGENTS)}") for _ in range(10)}
    links = {
        f"g, agent:n{number}, {role}" for number in range(AGENTS) for role in luck.sample(ROLES, luck.choice((0, 1, 2)))
    }
    links.add("g, role:a, role:b")
    (folder / "policy.csv").write_text("\n".join([*distinct(sorted(lines)), *sorted(links)]) + "\n")
    return folder


def policy_line(luck: random.Random, subject: str) -> str:
    pattern = f"org/{luck.choice((*ORGS, '*'))}"
    if luck.random() < 0.8:
        pattern += f"/project/{luck.choice((*PROJECTS, '*'))}"
    if luck.random() < 0.4:
        pattern += f"/agent/{luck.choice(('{self}', '*', 'n3'))}"
    if luck.random() < 0.5:
        pattern += "/**"
    actions = luck.choice(("read", "read|write", "write", "read|write|publish", "*"))
    effect = "deny" if luck.random() < 0.2 else "allow"
    return f"p, {subject}, {pattern}, {actions}, {effect}"


def distinct(lines: list[str]) -> list[str]:
    """Without those that contradict an earlier line, which the reader refuses."""
    kept: dict[str, str] = {}
    for line in lines:
        kept.setdefault(line.rpartition(",")[0], line)
    return list(kept.values())


def oracle_of(policies: Path) -> Oracle:
    enforcer = casbin.Enforcer(str(policies / "model.conf"), str(policies / "policy.csv"))
    enforcer.add_function("scope_match", scope_match)
    enforcer.add_function("action_match", action_match)
    return Oracle(enforcer)


def client_for(gateway: LiveGateway, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=gateway.url, headers={"Authorization": f"Bearer {key}"}, timeout=60)

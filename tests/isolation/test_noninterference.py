"""Invariant 1: no answer to a reader depends on a memory that it may not read.

Two worlds under one random policy. In the first, everybody writes, publishes and forgets at random. In the second, what
the reader may not read was never written. Whatever the reader then asks, both worlds must answer with the same bytes,
but for the ids that the two gateways gave out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import httpx
import pytest

from proxy.authenticate.key import Key
from proxy.authenticate.keyring import KeyRing, KeyTerms
from proxy.database import Database
from proxy.principal import Principal
from store.scope import Scope
from tests.proxy.authorise.stock import means
from tests.world import PERSON_NOTE, World, open_world

SEEDS = range(8)
START = datetime(2026, 11, 22, 12, tzinfo=UTC)
WRITES = 28
LENSES = 6

# May do everything, so that every scope has memories; everybody else is under random lines.
WRITER = "service:etl"
READERS = ("agent:ana", "agent:bo", "human:ana", "agent:cy")
ROLES = ("role:a", "role:b", "role:c")
VALUES = {"org": ("acme", "blue"), "project": ("q3", "q4"), "agent": ("ana", "bo", "cy"), "session": ("s1",)}
WORDS = ("budget", "cache", "launch", "metric", "pricing", "queue", "reactor", "release", "schema", "server")
CATEGORIES = ("episodic", "knowledge", "context")


@dataclass
class Line:
    """A policy line."""

    subject: str
    pattern: str
    actions: str
    effect: str

    def __str__(self) -> str:
        return f"p, {self.subject}, {self.pattern}, {self.actions}, {self.effect}"


@dataclass
class Policy:
    """A random policy, and who may do what by it."""

    lines: list[Line]
    links: list[tuple[str, str]]

    @classmethod
    def random(cls, random: Random) -> Policy:
        lines = [Line(WRITER, "/**", "*", "allow")]
        for _ in range(random.randint(6, 14)):
            actions = random.choice(
                ["read", "read", "read|write", "read|forget", "read|publish|write", "review|read", "*"]
            )
            effect = random.choice(["allow", "allow", "allow", "deny"])
            lines.append(Line(random.choice([*READERS, *ROLES]), random_pattern(random), actions, effect))
        lines += [Line(role, random_pattern(random), "read", "allow") for role in ROLES]
        return cls(lines, [(reader, random.choice(ROLES)) for reader in READERS])

    @property
    def text(self) -> str:
        unique = dict.fromkeys([*map(str, self.lines), *(f"g, {member}, {role}" for member, role in self.links)])
        return "\n".join(unique) + "\n"

    def allows(self, principal: str, action: str, scope: Scope) -> bool:
        """By brute force: a line allows it and none denies it."""
        subjects = {principal} | {role for member, role in self.links if member == principal}
        effects = {
            line.effect
            for line in self.lines
            if line.subject in subjects
            and (line.actions == "*" or action in line.actions.split("|"))
            and means(line.pattern, scope.as_dict(), principal.partition(":")[2])
        }
        return effects == {"allow"}


def random_pattern(random: Random) -> str:
    if random.random() < 0.08:
        return random.choice(["/", "/**"])
    names = random.sample(list(VALUES), random.choice([1, 1, 2, 2, 3]))
    parts = [f"{name}/{random.choice([*VALUES[name], '*', '{self}'])}" for name in sorted(names)]
    return "/".join(parts) + random.choice(["", "", "/**"])


def random_scope(random: Random) -> str:
    names = random.sample(list(VALUES), random.choice([0, 1, 1, 2, 2, 3]))
    return Scope.of((name, random.choice(VALUES[name])) for name in names).path()


def random_text(random: Random) -> str:
    return " ".join(random.choices(WORDS, k=random.randint(2, 5)))


@dataclass
class Reader:
    """Who asks in the end, with what its key adds."""

    principal: str
    floor: Scope | None

    def reads(self, policy: Policy, scope: Scope) -> bool:
        within = self.floor is None or self.floor <= scope or scope <= self.floor
        return within and policy.allows(self.principal, "read", scope)

    def knows_hold(self, policy: Policy, scope: Scope, submitter: str) -> bool:
        within = self.floor is None or self.floor <= scope
        return within and (submitter == self.principal or policy.allows(self.principal, "review", scope))


def half_sighted(random: Random) -> tuple[Policy, Reader]:
    """A policy, and a reader who may read something by it and by far not everything."""
    while True:
        policy = Policy.random(random)
        floor = Scope.parse(random_scope(random)) if random.random() < 0.3 else None
        reader = Reader(random.choice(READERS), floor)
        scopes = [Scope.parse(random_scope(random)) for _ in range(60)]
        seen = sum(reader.reads(policy, scope) for scope in scopes)
        if len(scopes) // 4 < seen < len(scopes) * 3 // 4:
            return policy, reader


@dataclass
class Twin:
    """One of the two worlds.

    ``ids`` are those of the memories and holds, by the step that made them; ``strange`` those of the other world.
    """

    world: World
    ids: dict[int, str] = field(default_factory=dict)
    strange: dict[int, str] = field(default_factory=dict)
    agents: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    async def admit(self, reader: Reader) -> None:
        """Give everybody a key that is the same in both worlds; the reader's is under its own name."""
        database = Database.open(self.world.data)
        who = [(name, KeyTerms(Principal.parse(name))) for name in (*READERS, WRITER)]
        who.append(("reader", KeyTerms(Principal.parse(reader.principal), floor=reader.floor)))
        for number, (name, terms) in enumerate(who):
            key = Key(f"key{number:09}", "x" * 43)
            await KeyRing(database).issue(key, terms, self.world.clock.now)
            self.agents[name] = self.world.client(key.text)
        database.close()

    async def ask(self, step: int, name: str, method: str, path: str, **request) -> httpx.Response:
        """One request at the same moment and under the same request id in both worlds."""
        self.world.clock.now = START + timedelta(seconds=step)
        return await self.agents[name].request(method, path, headers={"X-Request-Id": f"step-{step}"}, **request)

    def told(self, answer: httpx.Response) -> tuple[int, list, str]:
        """The whole answer, with every id of this world under its step."""
        text = answer.text
        for step, each in (self.ids | self.strange).items():
            text = text.replace(each, f"id-of-step-{step}")
        return answer.status_code, sorted(answer.headers.items()), text


@dataclass
class Kept:
    """A memory that was stored in the first world."""

    step: int
    scope: Scope
    body: dict


async def write(random: Random, policy: Policy, reader: Reader, one: Twin, two: Twin) -> None:
    """Everybody's writes in the first world, and in the second those that the reader could ever see."""
    kept: dict[int, Kept] = {}
    for step in range(WRITES):
        name = random.choice([*[WRITER] * 6, *READERS])
        # A held copy says of itself that it was published, which the second world cannot always repeat.
        sources = [each for each in kept.values() if each.body["content"] != PERSON_NOTE]
        deed = random.choice(["remember", "remember", "remember", "publish", "forget"]) if sources else "remember"
        source = random.choice(sources) if sources else None
        scope = random_scope(random)
        body = {
            "content": PERSON_NOTE if deed == "remember" and random.random() < 0.1 else random_text(random),
            "category": random.choice(CATEGORIES),
            "metadata": {"tag": random.choice(["x", "y"])},
            "valid_from": (START + timedelta(days=step)).isoformat(),
        }
        if deed == "forget":
            answer = await one.ask(step, name, "DELETE", f"/v1/memories/{one.ids[source.step]}")
            if answer.status_code == 204:
                del kept[source.step]
                if source.step in two.ids:
                    same = await two.ask(step, name, "DELETE", f"/v1/memories/{two.ids[source.step]}")
                    # Whoever forgot it there may do so here; what it may not read here, the reader may not either.
                    assert same.status_code == 204
            continue
        if deed == "publish":
            answer = await one.ask(
                step, name, "POST", "/v1/publish", json={"memory_ids": [one.ids[source.step]], "to": scope}
            )
            result = answer.json()["results"][0] if answer.is_success else {}
            body = source.body
        else:
            answer = await one.ask(step, name, "POST", "/v1/memories", json={"scope": scope, **body})
            result = answer.json()
        if not answer.is_success:
            continue
        one.ids[step] = result.get("id") or result["hold_id"]
        place = Scope.parse(scope)
        if result["status"] == "stored":
            kept[step] = Kept(step, place, body)
        held = result["status"] == "held" and reader.knows_hold(policy, place, name)
        if held or (result["status"] == "stored" and reader.reads(policy, place)):
            await again(two, step, name, deed, scope, body, source)


async def again(two: Twin, step: int, name: str, deed: str, scope: str, body: dict, source: Kept | None) -> None:
    """The same in the second world. What was published from where the reader sees nothing is simply written."""
    if deed == "publish" and source.step in two.ids:
        answer = await two.ask(
            step, name, "POST", "/v1/publish", json={"memory_ids": [two.ids[source.step]], "to": scope}
        )
        result = answer.json()["results"][0]
    else:
        answer = await two.ask(step, name, "POST", "/v1/memories", json={"scope": scope, **body})
        result = answer.json()
    two.ids[step] = result.get("id") or result["hold_id"]


def questions(random: Random, hidden: list[str]) -> list[tuple[str, str, dict]]:
    """What a curious reader asks; ``hidden`` are ids that it may not know, and never were in the second world."""
    asked: list[tuple[str, str, dict]] = [("GET", "/v1/whoami", {}), ("GET", "/v1/holds", {})]
    for _ in range(LENSES):
        lens, query = random_scope(random), random_text(random)
        direction = random.choice(["both", "ancestors", "descendants"])
        some = random.choice([{}, {"category": "knowledge"}, {"author": WRITER}, {"metadata": {"tag": "x"}}])
        asked += [
            ("POST", "/v1/recall", {"json": {"scope": lens, "query": query, "top_k": 100}}),
            (
                "POST",
                "/v1/recall",
                {"json": {"scope": lens, "query": query, "top_k": 2, "direction": direction, **some}},
            ),
            ("GET", "/v1/memories", {"params": {"scope": lens, "limit": 2}}),
            ("GET", "/v1/memories", {"params": {"scope": lens, "direction": direction}}),
            ("POST", "/v1/check", {"json": {"action": random.choice(["read", "write"]), "scope": lens}}),
        ]
        asked += [("GET", "/v1/memories", {"params": {"scope": lens, "cursor": each}}) for each in hidden[:1]]
    for each in hidden[:5]:
        asked += [
            ("GET", f"/v1/memories/{each}", {}),
            ("GET", f"/v1/holds/{each}", {}),
            ("POST", f"/v1/holds/{each}/reject", {}),
            ("DELETE", f"/v1/memories/{each}", {}),
            ("POST", "/v1/publish", {"json": {"memory_ids": [each], "to": random_scope(random)}}),
        ]
    return asked


async def answers(twin: Twin, asked: list[tuple[str, str, dict]], known: list[int]) -> list[tuple]:
    """What the reader is told, every page to its end, and at last about each memory of the ``known`` steps."""
    told = []
    for number, (method, path, request) in enumerate(asked, start=WRITES):
        answer = await twin.ask(number, "reader", method, path, **request)
        told.append(twin.told(answer))
        while path == "/v1/memories" and answer.is_success and answer.json()["next_cursor"]:
            params = request["params"] | {"cursor": answer.json()["next_cursor"]}
            answer = await twin.ask(number, "reader", method, path, params=params)
            told.append(twin.told(answer))
    one_by_one = [await twin.ask(WRITES, "reader", "GET", f"/v1/memories/{twin.ids[step]}") for step in known]
    return told + [twin.told(answer) for answer in one_by_one]


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_that_a_reader_may_not_read_changes_a_byte_of_any_answer(tmp_path, parts, seed) -> None:
    random = Random(seed)
    policy, reader = half_sighted(random)
    async with open_world(tmp_path / "one", parts) as first, open_world(tmp_path / "two", parts) as second:
        one, two = Twin(first), Twin(second)
        for twin in (one, two):
            (twin.world.policies / "policy.csv").write_text(policy.text)
            await twin.world.app.policies.reload()
            await twin.admit(reader)
        await write(random, policy, reader, one, two)
        hidden = {step: each for step, each in one.ids.items() if step not in two.ids}
        two.strange = hidden
        asked = questions(random, list(hidden.values()))

        in_one = await answers(one, asked, sorted(two.ids))
        in_two = await answers(two, asked, sorted(two.ids))

    assert len(hidden) > 1, "a seed in which nothing is hidden proves nothing"
    assert len(two.ids) > 1, "a seed in which nothing is seen proves nothing"
    assert any(status == 200 and "score" in text for status, _, text in in_two)
    for told_in_one, told_in_two in zip(in_one, in_two, strict=True):
        assert told_in_one == told_in_two

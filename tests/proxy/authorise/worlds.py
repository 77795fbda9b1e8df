"""Random small policies and requests, dense enough that lines meet."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from proxy.authorise.decision import Action
from proxy.authorise.rules import read_rules
from proxy.errors import PolicyError
from proxy.principal import Principal
from store.scope import Scope

PRINCIPALS = [Principal.parse(text) for text in ("agent:ana", "agent:bo", "human:ana", "service:nobody")]
ROLES = [f"role:r{number}" for number in range(6)]
VALUES = {"org": ["acme", "ana"], "project": ["q3", "bo", "q4"], "agent": ["ana", "bo", "cy"], "session": ["s1"]}


@dataclass(frozen=True)
class World:
    """One policy, as text."""

    policy: str

    @classmethod
    def random(cls, random: Random) -> World:
        """A policy that the strict reader takes: what it refuses of a draft is left out."""
        lines = [_policy_line(random) for _ in range(random.randint(8, 24))]
        lines += [_link(random) for _ in range(random.randint(4, 12))]
        random.shuffle(lines)
        while True:
            try:
                read_rules("\n".join(lines), "policy.csv")
            except PolicyError as error:
                bad = {problem.line for problem in error.problems}
                lines = [line for number, line in enumerate(lines, start=1) if number not in bad]
                if 0 in bad:
                    lines.append("p, role:r0, /**, *, allow")
            else:
                return cls("\n".join(lines))


def random_scope(random: Random) -> Scope:
    dimensions = random.sample(list(VALUES), random.choice([0, 1, 1, 2, 2, 2, 3, 3, 4]))
    return Scope.of((dimension, random.choice(VALUES[dimension])) for dimension in dimensions)


def random_pattern(random: Random) -> str:
    if random.random() < 0.08:
        return random.choice(["/", "/**"])
    dimensions = random.sample(list(VALUES), random.choice([1, 1, 2, 2, 2, 3]))
    parts = [f"{dimension}/{random.choice([*VALUES[dimension], '*', '*', '{self}'])}" for dimension in dimensions]
    return "/".join(parts) + random.choice(["", "", "/**", "/**"])


def random_action(random: Random) -> Action:
    return random.choice(list(Action))


def _policy_line(random: Random) -> str:
    subject = random.choice([*ROLES, *ROLES, *map(str, PRINCIPALS)])
    actions = random.choice(["*", "|".join(random.sample(list(Action), random.randint(1, 4)))])
    effect = random.choice(["allow", "allow", "allow", "deny"])
    return f"p, {subject}, {random_pattern(random)}, {actions}, {effect}"


def _link(random: Random) -> str:
    return f"g, {random.choice([*ROLES, *map(str, PRINCIPALS[:3])])}, {random.choice(ROLES)}"

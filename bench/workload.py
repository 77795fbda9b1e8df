"""The policies, requests and scopes that the benchmarks share. Made from a seed: equal in every run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

from proxy.authorise.decision import Action
from proxy.authorise.policyset import PolicySet
from proxy.principal import Principal
from store.scope import Scope

MODEL = (Path(__file__).parents[1] / "policies" / "model.conf").read_bytes()
LINES_PER_ROLE = 8

Request = tuple[Principal, Action, Scope]


class Workload:
    """``rules`` p lines over roles of eight lines each, one in ten a deny, and a g line for every ten of them."""

    def __init__(self, rules: int, seed: int = 7) -> None:
        self._random = Random(seed * 1_000_003 + rules)
        self.rules = rules
        self._roles = max(3, rules // LINES_PER_ROLE)
        self._orgs = max(1, min(20, rules // 50))
        self._projects = max(4, rules // 20)
        self._agents = max(5, rules // 10)
        self.lines = list(self._lines())
        self.links = list(self._links())

    @property
    def text(self) -> str:
        """The policy file."""
        lines = [f"p, {', '.join(line)}\n" for line in self.lines]
        return "".join(lines + [f"g, {member}, {role}\n" for member, role in self.links])

    def policy(self) -> PolicySet:
        """The policy, loaded."""
        return PolicySet.from_text(MODEL, self.text)

    @staticmethod
    def policy_of(line: str, role: str, agents: int) -> PolicySet:
        """A policy of one line, whose role the first so many agents have."""
        return PolicySet.from_text(MODEL, line + "".join(f"g, agent:w{number}, {role}\n" for number in range(agents)))

    def requests(self, count: int) -> list[Request]:
        """Requests, seven in ten made after a line of a role that the principal has, so that about half are allowed."""
        lines = {}
        for subject, pattern, actions, _ in self.lines:
            lines.setdefault(subject, []).append((pattern, actions))
        agents = [(member, role) for member, role in self.links if member.startswith("agent:")]
        made = []
        for _ in range(count):
            member, role = self._random.choice(agents)
            name = member.partition(":")[2]
            if self._random.random() < 0.7:
                pattern, actions = self._random.choice(lines.get(role) or [("org/org0", "read")])
                scope = self._scope_of(pattern, name)
                action = Action.READ if actions == "*" else Action(actions.split("|")[0])
            else:
                scope, action = self.scope(), self._random.choice(list(Action))
            made.append((Principal("agent", name), action, scope))
        return made

    def scope(self) -> Scope:
        """Some scope: a project, most often of one agent, half of these of one session."""
        project = self._random.randrange(self._projects)
        terms = [("org", f"org{project % self._orgs}"), ("project", f"p{project}")]
        if self._random.random() < 0.95:
            terms.append(("agent", f"w{self._random.randrange(self._agents)}"))
        if self._random.random() < 0.5:
            terms.append(("session", f"s{self._random.randrange(1_000_000)}"))
        return Scope.of(terms)

    def scopes(self, count: int) -> frozenset[Scope]:
        """So many different scopes."""
        known: set[Scope] = set()
        while len(known) < count:
            known.add(self.scope())
        return frozenset(known)

    def _scope_of(self, pattern: str, name: str) -> Scope:
        parts = pattern.removesuffix("/**").replace("{self}", name).split("/")
        parts = [self._project() if part == "*" else part for part in parts]
        return Scope.parse("/".join(parts))

    def _project(self) -> str:
        return f"p{self._random.randrange(self._projects)}"

    def _lines(self) -> Iterator[tuple[str, str, str, str]]:
        seen = set()
        while len(seen) < self.rules:
            subject = f"role:r{len(seen) % self._roles}"
            if self._random.random() < 0.02:
                subject = f"agent:w{self._random.randrange(self._agents)}"
            actions = self._random.choices([*Action, "read|write", "*"], [40, 20, 8, 4, 8, 2, 10, 10])[0]
            line = (subject, self._pattern(), str(actions))
            if line not in seen:
                seen.add(line)
                yield (*line, "deny" if self._random.random() < 0.1 else "allow")

    def _pattern(self) -> str:
        project = self._random.randrange(self._projects)
        org = f"org/org{project % self._orgs}"
        agent = f"w{self._random.randrange(self._agents)}"
        patterns = [
            f"{org}/project/*/agent/{{self}}",
            f"{org}/project/p{project}/**",
            f"{org}/project/p{project}/agent/{{self}}/**",
            f"{org}/project/p{project}",
            f"{org}/**",
            f"{org}/project/p{project}/agent/{agent}",
        ]
        return self._random.choices(patterns, [20, 30, 20, 15, 5, 10])[0]

    def _links(self) -> Iterator[tuple[str, str]]:
        """One role under a tree of roles of four branches, and agents under roles."""
        count = max(5, self.rules // 10)
        tree = min(self._roles - 1, count // 10)
        yield from ((f"role:r{number + 1}", f"role:r{number // 4}") for number in range(tree))
        links: dict[tuple[str, str], None] = {}
        while len(links) < count - tree:
            links[f"agent:w{len(links) % self._agents}", f"role:r{self._random.randrange(self._roles)}"] = None
        yield from links

"""A folder's ``model.conf`` and ``policy.csv`` for commands that need no more than these."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from proxy.authorise.policyset import POLICY_FILE, PolicySet, load_policy_set
from proxy.authorise.reach import Reach
from proxy.authorise.rules import Rules, read_rules
from proxy.cli.output import refuse_policy
from proxy.errors import PolicyError
from proxy.settings import GATEWAY_FILE, GatewayConfig, read_gateway_config, read_text


@dataclass(frozen=True, slots=True)
class PolicyText:
    """Who may do what, as a policy set that decides and as the rules that it was made from."""

    policy: PolicySet
    rules: Rules
    reach: Reach


def read_folder(folder: Path) -> PolicyText:
    """Read the folder strictly; a mistake ends the command with every problem."""
    try:
        config = read_gateway_config(read_text(folder / GATEWAY_FILE)) if _has_config(folder) else GatewayConfig()
        policy = load_policy_set(folder, dimension_order=config.dimensions)
        rules = read_rules(read_text(folder / POLICY_FILE), POLICY_FILE)
    except PolicyError as error:
        refuse_policy(error)
    return PolicyText(policy, rules, Reach(rules))


def _has_config(folder: Path) -> bool:
    return (folder / GATEWAY_FILE).exists()

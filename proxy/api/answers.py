"""The shapes of answers."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from proxy.api.wire import Check
from proxy.authenticate.key import Key
from proxy.authenticate.keyring import KeyRecord
from proxy.authorise.decision import Explanation
from proxy.call import Call
from proxy.entrance import HeldBack, Result
from proxy.inspection.holds import Hold, HoldState
from proxy.moments import moment_text
from proxy.policyfolder import PolicyFolder
from proxy.sessions import Session
from proxy.settings import GatewayConfig
from proxy.shadow import Disagreement, Outcome, Simulation
from store.memory import Hit, Memory


def memory(call: Call, memory: Memory) -> dict[str, object]:
    """A memory as an answer spells it."""
    return {
        "id": memory.id,
        "scope": call.rules.config.path(memory.scope),
        "content": memory.content,
        "category": memory.category,
        "metadata": memory.metadata,
        "created_at": moment_text(memory.created_at),
        "valid_from": moment_text(memory.valid_from),
        "valid_until": _moment(memory.valid_until),
        "provenance": asdict(memory.provenance),
    }


def hit(call: Call, hit: Hit) -> dict[str, object]:
    """A memory that a search found, with its score."""
    return memory(call, hit.memory) | {"score": round(hit.score, 6)}


def result(call: Call, result: Result) -> dict[str, object]:
    """What became of something that was to be stored."""
    findings = [finding.as_dict() for finding in result.findings]
    scope = call.rules.config.path(result.scope)
    if isinstance(result, HeldBack):
        return {"status": "held", "hold_id": result.hold_id, "scope": scope, "verdict": "hold", "findings": findings}
    return {
        "status": "stored",
        "id": result.id,
        "scope": scope,
        "verdict": result.verdict,
        "findings": findings,
        "created_at": moment_text(result.created_at),
    }


def hold(call: Call, hold: Hold) -> dict[str, object]:
    """A hold; with its text only where the gateway left it in."""
    shown: dict[str, object] = {
        "id": hold.id,
        "state": hold.state,
        "scope": call.rules.config.path(hold.scope),
        "operation": hold.operation,
        "submitter": hold.submitter,
        "created_at": moment_text(hold.created_at),
        "findings": hold.findings,
        "decided_by": hold.decided_by,
        "decided_at": _moment(hold.decided_at),
        "reason": hold.reason,
        "memory_id": hold.memory_id if hold.state is HoldState.APPROVED else None,
    }
    if hold.memory is not None:
        shown |= {"content": hold.memory.content, "metadata": hold.memory.metadata}
    return shown


def session(call: Call, session: Session) -> dict[str, object]:
    """A session."""
    return {
        "id": session.id,
        "scope": call.rules.config.path(session.scope),
        "metadata": session.metadata,
        "created_at": moment_text(session.created_at),
        "expires_at": moment_text(session.expires_at),
    }


def key(config: GatewayConfig, record: KeyRecord, key: Key | None = None) -> dict[str, object]:
    """A key's record; with the key itself only when it was just issued."""
    floor = record.terms.floor
    shown: dict[str, object] = {
        "id": record.id,
        "principal": str(record.terms.principal),
        "floor": None if floor is None else config.path(floor),
        "read_only": record.terms.read_only,
        "expires_at": _moment(record.terms.expires_at),
        "note": record.terms.note,
        "created_at": moment_text(record.created_at),
        "replaces": record.replaces,
    }
    if key is not None:
        return {"key": key.text, **shown}
    return {**shown, "last_used_at": _moment(record.last_used_at), "revoked_at": _moment(record.revoked_at)}


def explanation(call: Call, question: Check, explanation: Explanation) -> dict[str, object]:
    """A decision with every line that was considered."""
    return {
        "allowed": explanation.allowed,
        "principal": str(question.principal or call.caller.principal),
        "action": question.action,
        "scope": call.rules.config.path(question.scope),
        "line": explanation.line,
        "reason": explanation.reason,
        "considered": [asdict(considered) for considered in explanation.considered],
        "policy_version": call.rules.version,
    }


def whoami(call: Call) -> dict[str, object]:
    """Who the key speaks for, and the policy lines about them."""
    caller, policy = call.caller, call.rules.authoriser.policy
    return {
        "principal": str(caller.principal),
        "key_id": caller.key_id,
        "floor": None if caller.floor is None else call.rules.config.path(caller.floor),
        "read_only": caller.read_only,
        "roles": policy.roles(caller.principal),
        "grants": [asdict(grant) for grant in policy.grants(caller.principal)],
        "policy_version": call.rules.version,
    }


def policy(folder: PolicyFolder) -> dict[str, object]:
    """What is in force, and what was refused last."""
    in_force, refused = folder.in_force, folder.refused
    return {
        "version": in_force.version,
        "loaded_at": moment_text(in_force.loaded_at),
        "folder": str(folder.folder),
        "files": dict(sorted(in_force.files.items())),
        "refused": None
        if refused is None
        else {"at": moment_text(refused.at), "problems": [str(problem) for problem in refused.problems]},
    }


def simulation(call: Call, simulation: Simulation) -> dict[str, object]:
    """How a candidate policy compares with the one in force."""
    return {
        "running": call.now < simulation.ends_at,
        "candidate": simulation.candidate.policy.version,
        "enforced": call.rules.authoriser.policy.version,
        "started_at": moment_text(simulation.started_at),
        "ends_at": moment_text(simulation.ends_at),
        "compared": simulation.counts.total(),
        "counts": {outcome: simulation.counts[outcome] for outcome in Outcome},
        "differences": [_disagreement(call, found) for found in simulation.disagreements],
    }


def _disagreement(call: Call, found: Disagreement) -> dict[str, object]:
    asked = found.asked
    return {
        "at": moment_text(asked.at),
        "request_id": asked.request_id,
        "operation": asked.operation,
        "principal": asked.principal,
        "action": asked.action,
        "scope": call.rules.config.path(asked.scope),
        "outcome": found.outcome,
        "enforced_lines": found.enforced_lines,
        "candidate_lines": found.candidate_lines,
        "scopes_gained": found.gained,
        "scopes_lost": found.lost,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment_text(moment)

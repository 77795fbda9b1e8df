"""Answers of a gateway, as docs/http.md writes them."""

import httpx

FINDING = {"entity": "PERSON", "field": "content", "start": 0, "end": 8, "score": 0.85}

PROVENANCE = {
    "principal": "agent:researcher",
    "key_id": "k1",
    "session_id": None,
    "request_id": "r1",
    "derived_from": ["m0"],
    "verdict": "pass",
    "policy_version": "v1",
    "approved_by": None,
}

MEMORY = {
    "id": "m1",
    "scope": "org/acme/project/q3",
    "content": "Found 3 relevant articles.",
    "category": "knowledge",
    "metadata": {"run": "a"},
    "created_at": "2026-11-22T10:00:00.000000Z",
    "valid_from": "2026-11-22T10:00:00.000000Z",
    "valid_until": None,
    "provenance": PROVENANCE,
}

STORED = {
    "status": "stored",
    "id": "m1",
    "scope": "org/acme/project/q3",
    "verdict": "pass",
    "findings": [],
    "created_at": "2026-11-22T10:00:00.000000Z",
}

HELD = {"status": "held", "hold_id": "h1", "scope": "org/acme/project/q3", "verdict": "hold", "findings": [FINDING]}

RECALL = {"items": [{**MEMORY, "score": 0.75}], "formatted": "- Found 3 relevant articles."}

WHOAMI = {
    "principal": "agent:researcher",
    "key_id": "k1",
    "floor": "org/acme",
    "read_only": False,
    "roles": ["role:researcher"],
    "grants": [
        {"scope": "org/acme/project/q3", "actions": ["read", "write"], "effect": "allow", "line": "policy.csv:9"}
    ],
    "policy_version": "v1",
}

DECISION = {
    "allowed": False,
    "principal": "agent:writer",
    "action": "write",
    "scope": "org/acme",
    "line": None,
    "reason": "no line allows it",
    "considered": [
        {
            "line": "policy.csv:9",
            "scope": "org/acme/project/q3",
            "actions": ["read"],
            "effect": "allow",
            "matches": False,
            "because": "other dimensions",
        }
    ],
    "policy_version": "v1",
}

SESSION = {
    "id": "s1",
    "scope": "org/acme/project/q3",
    "metadata": {},
    "created_at": "2026-11-22T10:00:00.000000Z",
    "expires_at": "2026-11-22T11:00:00.000000Z",
}

HOLD = {
    "id": "h1",
    "state": "pending",
    "scope": "org/acme/project/q3",
    "operation": "remember",
    "submitter": "agent:researcher",
    "created_at": "2026-11-22T10:00:00.000000Z",
    "findings": [FINDING],
    "decided_by": None,
    "decided_at": None,
    "reason": None,
    "memory_id": None,
}

KEY_ANSWER = {
    "id": "k2",
    "principal": "agent:writer",
    "floor": None,
    "read_only": True,
    "expires_at": None,
    "note": "laptop",
    "created_at": "2026-11-22T10:00:00.000000Z",
    "last_used_at": None,
    "revoked_at": None,
}

NEW_KEY = {**KEY_ANSWER, "key": "sg_k2_anothersecret"}


def page(*items):
    return {"items": list(items), "next_cursor": None}


def answer(body, status=200, **headers):
    return httpx.Response(status, json=body, headers={"X-Request-Id": "r9", **headers})


def nothing():
    return httpx.Response(204)


def problem(code, status, *, headers=None, **members):
    body = {
        "type": f"urn:scopegate:error:{code}",
        "code": code,
        "title": code.replace("-", " "),
        "status": status,
        "detail": f"the detail of {code}",
        "instance": "/v1/x",
        "request_id": "r9",
        **members,
    }
    return httpx.Response(
        status, json=body, headers={"Content-Type": "application/problem+json", "X-Request-Id": "r9", **(headers or {})}
    )

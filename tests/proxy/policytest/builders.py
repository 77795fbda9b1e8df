"""Policies to run tests against, with a detector that finds what it is told to find."""

from __future__ import annotations

from proxy.authorise.policyset import PolicySet
from proxy.inspection.rules import read_pii_rules
from proxy.policytest.coverage import Coverage, coverage
from proxy.policytest.form import read_test_file
from proxy.policytest.run import Outcome, UnderTest, run
from proxy.settings import GatewayConfig
from tests.proxy.authorise.stock import MODEL
from tests.proxy.inspection.doubles import CanaryDetector

POLICY = """\
p, role:reader, org/acme, read, allow
p, role:writer, org/acme, read|write, allow
p, role:writer, org/acme/agent/{self}, read|write|forget, allow
p, role:writer, org/acme/agent/bo/**, forget, deny
g, role:writer, role:reader
g, agent:ana, role:writer
g, agent:bo, role:writer
g, agent:cy, role:reader
"""

PII = """\
version: 1
rules:
  - {scope: /**, entities: [US_SSN], verdict: block}
  - {scope: /**, entities: [EMAIL_ADDRESS], verdict: redact}
  - {scope: org/acme, entities: [PERSON, US_SSN], verdict: hold}
allow:
  - {entity: PERSON, text: Ada Lovelace}
"""

CANARIES = {"123-45-6789": "US_SSN", "a@b.example": "EMAIL_ADDRESS", "Maria": "PERSON", "Ada Lovelace": "PERSON"}


def world(policy: str = POLICY, pii: str = PII) -> UnderTest:
    detector = CanaryDetector(CANARIES)
    rules = read_pii_rules(pii, "pii.yaml", detector.supported)
    return UnderTest(PolicySet.from_text(MODEL, policy), rules, GatewayConfig(), detector)


def outcomes(text: str, under_test: UnderTest | None = None) -> tuple[Outcome, ...]:
    return run(read_test_file(text, "tests/t.yaml"), under_test or world())


def covered(text: str, under_test: UnderTest | None = None) -> Coverage:
    under_test = under_test or world()
    return coverage(outcomes(text, under_test), under_test)

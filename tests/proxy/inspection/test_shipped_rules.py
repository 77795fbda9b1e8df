"""What the shipped ``pii.yaml`` does with sentences that agents write."""

import pytest

from proxy.inspection.draft import Draft
from proxy.inspection.gate import PublishGate
from proxy.inspection.rules import PiiRules
from proxy.inspection.verdict import Blocked, Held, Pass, Redacted
from store.scope import Scope

ORDINARY = [
    "Found 3 relevant articles about AI safety.",
    "Found 3 articles about AI safety",
    "Draft has grammatical issues, fixing...",
    "Raw notes: reviewed the quarterly plan",
    "The build passed on version 1.2.3.4 at 20240501123",
    "Redis and Kafka are used for queues",
    "Claude found 3 issues",
    "duplicate row B43 removed",
    "[pricing] Competitors lowered list prices by 8% in Q3",
    "Deploy Kubernetes to Staging via Terraform",
    "Refactor PaymentService to use Stripe webhooks",
    "Merged PR 4521 from Dependabot",
    "Postgres upgrade done; Grafana dashboards green",
    "Casbin denies by default",
    "LanceDB stores vectors, DuckDB runs the report",
    "Jira ticket ABC-123 closed",
    "Jenkins job 8812 failed at step 4 of 9",
    "Ran pytest on Python 3.11.7: 1204 passed, 3 skipped in 41.82s",
    "commit 05ed811 reverts 9f8c2d4e7a1b3c5d6e7f8091a2b3c4d5e6f70819",
    "request 0190a6c2-7b1e-7cc3-98c4-dc0c0c07398f took 132 ms",
    "p99 latency went from 412 ms to 187 ms after the cache change",
    "Retry after 2024-05-01T12:30:00Z; last success 2024-04-30 23:59",
    "The cron expression is 0 5 * * 1-5",
    "Server listens on 10.0.0.12:8080 and 127.0.0.1",
    "timestamp 1714557600123456 is in microseconds, 1714557600 in seconds",
    "Invoice total 12,345.67 EUR, VAT 19%",
    "Budget 2024-2025: 1.2M, of which 300k is spent",
    "Order 100-200-3000 contains 12 items",
    "Token budget: 128000 tokens, max_tokens: 4096",
    "api_key: str = Field(default=None)",
    "password = os.environ['DB_PASSWORD']",
    "The secret: keep functions short",
    "Authorization: Bearer <token> is required",
    "auth uses access tokens, see docs/auth.md",
    "password: required, at least 12 characters",
    "postgres://localhost:5432/app has no password",
    "TODO: rotate the signing key next week",
    "Summary: three vendors, two of them in Europe",
    "Plan: 1) collect data 2) clean it 3) fit the model",
    "Hypothesis rejected, p = 0.043, n = 1280",
    "Customers in Berlin and Paris churn less than in London",
    "Google and Microsoft raised prices; Amazon did not",
    "Llama and Mistral were compared with Gemini",
    "Ruby and Julia were considered, Rust was chosen",
    "The Mark task as done button is missing",
    "Will deploy on Friday, May 3",
    "Grace period is 30 days",
    "Feature Flag Rollout starts Monday",
    "Open questions: Pricing Tier Names, Launch Date, Support Hours",
    "Reviewer agent approved the outline",
    "Researcher: sources 4 and 7 contradict each other",
    "use `git@github.com:acme/tools.git` as the remote",
    "pip install react@18.2.0 fails, use npm",
    "Section 12.3 covers SSN handling and PII in general",
    "Add a test for IBAN validation",
    "def main(argv: list[str]) -> int: return 0",
    "SELECT id, name FROM users WHERE id = 42 LIMIT 10",
    "HTTP 503 from /v1/memories after 3 retries",
    "Read about Bayes theorem and Fourier transforms",
    "max Retries: 5, Min Replicas: 2",
    "Scopegate blocked 12 of 3,401 writes",
    "ISBN 978-3-16-148410-0 is the third edition",
    "tracking number 9400 1112 0255 5842",
    "Memory usage 16384 MiB, swap 0, load 0.42 0.36 0.31",
    "",
    " \n\t ",
]

BLOCKED = {
    "the number of the seed": ("US_SSN", "Raw data contains PII: user SSN 123-45-6789."),
    "without separators in JSON": ("US_SSN", '{"ssn":"536904399"}'),
    "named after it": ("US_SSN", "536904399 is her social security number"),
    "in camel case": ("US_SSN", "userSsn=536904399"),
    "mixed separators": ("US_SSN", "user SSN 536-90.4399"),
    "glued": ("US_SSN", "ssn536-90-4399x"),
    "dashed, unnamed": ("US_SSN", "on file: 219-09-9999"),
    "a card": ("CREDIT_CARD", "paid with 4111 1111 1111 1111"),
    "a card in digits": ("CREDIT_CARD", "card=5500005555555559"),
    "an account": ("IBAN_CODE", "wire to DE89 3704 0044 0532 0130 00 today"),
    "a private key": ("SECRET", "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"),
    "an AWS key": ("SECRET", "use AKIAIOSFODNN7EXAMPLE for the bucket"),
    "one of our keys": ("SECRET", "sg_k3y1d_" + "aB3-_xY9" * 4),
    "a GitHub token": ("SECRET", "ghp_" + "a1B2" * 9),
    "a Slack token": ("SECRET", "xoxb-" + "123456789012-abcdefGHIJ"),
    "a Stripe key": ("SECRET", "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"),
    "an OpenAI key": ("SECRET", "OPENAI_API_KEY is sk-proj-" + "a1B2c3D4" * 5),
    "an Anthropic key": ("SECRET", "sk-ant-api03-" + "a1B2c3D4" * 5),
    "a Google key": ("SECRET", "AIza" + "a1B2c3D" * 5),
    "a JWT": ("SECRET", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"),
    "a connection string": ("SECRET", "postgres://app:s3cr3t@db.internal/app"),
    "a password assigned": ("SECRET", "password = hunter2!"),
    "a password in JSON": ("SECRET", '{"db_password": "correct-horse-battery"}'),
    "a password told": ("SECRET", "the admin password is Tr0ub4dor"),
    "an API key assigned": ("SECRET", "api_key: 9f8c2d4e7a1b3c5d6e7f"),
    "a bearer token": ("SECRET", "curl -H 'Authorization: Bearer abcDEF1234567890abcdef'"),
}

HELD = [
    "Interview with Maria Gonzalez went well",
    "Contact John Smith about the contract",
    "ask Priya and Wei about the rollout",
    "Priya said the rollout is late",
    "Met with Dr. Okafor today",
    "Alice approved the plan",
    "Emailed Sarah about Q3",
    "owner: Ngozi Adeyemi",
    "JOHN SMITH signed the form",
    "Will Johnson joined the call",
    "Anna-Lena Schmidt reviews the draft",
    "Juan de la Cruz works in support",
    "Robert J. Downing was mentioned twice",
    "ask Zbyszko about the invoice",
]

REDACTED = {
    "Write to jane.doe@example.com": ("jane.doe", "Write to <EMAIL_ADDRESS_"),
    "call +1 212 555 0123": ("555", "call <PHONE_NUMBER_"),
    "phone 212-555-0123 after nine": ("555", "phone <PHONE_NUMBER_"),
    "reach her at root@build.internal": ("root@", "reach her at <EMAIL_ADDRESS_"),
    "Tel: 0049 30 901820": ("901820", "Tel: <PHONE_NUMBER_"),
}


@pytest.mark.parametrize("text", ORDINARY)
async def test_an_ordinary_sentence_passes(gate: PublishGate, scope: Scope, shipped: PiiRules, text: str) -> None:
    assert isinstance(await gate.inspect(Draft(text), scope, shipped), Pass)


@pytest.mark.parametrize(("entity", "text"), BLOCKED.values(), ids=BLOCKED)
async def test_what_must_never_be_shared_is_blocked(
    gate: PublishGate, scope: Scope, shipped: PiiRules, entity: str, text: str
) -> None:
    verdict = await gate.inspect(Draft(text), scope, shipped)
    assert isinstance(verdict, Blocked)
    assert entity in {finding.entity for finding in verdict.findings}


@pytest.mark.parametrize("text", HELD)
async def test_a_name_is_held(gate: PublishGate, scope: Scope, shipped: PiiRules, text: str) -> None:
    verdict = await gate.inspect(Draft(text), scope, shipped)
    assert isinstance(verdict, Held)
    assert {finding.entity for finding in verdict.findings} == {"PERSON"}


@pytest.mark.parametrize(("text", "gone", "begins"), [(text, *rest) for text, rest in REDACTED.items()])
async def test_how_to_reach_somebody_is_replaced(
    gate: PublishGate, scope: Scope, shipped: PiiRules, text: str, gone: str, begins: str
) -> None:
    verdict = await gate.inspect(Draft(text), scope, shipped)
    assert isinstance(verdict, Redacted)
    assert verdict.draft.content.startswith(begins)
    assert gone not in verdict.draft.content


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("ssn", 536904399, "metadata.ssn"),
        ("ssn", 536904399.0, "metadata.ssn"),
        ("socialSecurity", "536 90 4399", "metadata.socialSecurity"),
        ("password", "Tr0ub4dor&3", "metadata.password"),
        ("ssn", {"value": ["536904399"]}, "metadata.ssn.value[0]"),
    ],
)
async def test_a_key_says_what_its_value_is(
    gate: PublishGate, scope: Scope, shipped: PiiRules, key: str, value: object, field: str
) -> None:
    verdict = await gate.inspect(Draft("import", {key: value}), scope, shipped)
    assert isinstance(verdict, Blocked)
    assert {finding.field for finding in verdict.findings} == {field}


async def test_what_was_redacted_passes_the_gate_of_another_scope(
    gate: PublishGate, scope: Scope, shipped: PiiRules
) -> None:
    first = await gate.inspect(Draft("jane.doe@example.com, +1 212 555 0123", {"to": "x@y.org"}), scope, shipped)
    assert isinstance(first, Redacted)
    assert await gate.inspect(first.draft, Scope.parse("org/acme"), shipped) == Pass()

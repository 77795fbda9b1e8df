"""Recalled memories as text for a prompt: no content can pass for an entry of its own."""

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from proxy.prompt import format_hits
from proxy.settings import GatewayConfig
from store.memory import Category, Hit, Memory, Provenance
from store.scope import Scope

CONFIG = GatewayConfig()
AT = datetime(2026, 11, 22, 10, tzinfo=UTC)


def hit(content: str) -> Hit:
    provenance = Provenance("agent:researcher", "key", "request", "pass", "1")
    scope = Scope.parse("project/q3/org/acme")
    return Hit(Memory("0199", scope, content, Category.KNOWLEDGE, AT, AT, provenance), 0.5)


def test_each_entry_says_what_it_is_where_it_lies_who_wrote_it_and_when() -> None:
    assert format_hits([hit("one"), hit("two")], CONFIG) == (
        "1. [knowledge · org/acme/project/q3 · agent:researcher · 2026-11-22] one\n"
        "2. [knowledge · org/acme/project/q3 · agent:researcher · 2026-11-22] two"
    )


def test_nothing_found_is_no_text() -> None:
    assert format_hits([], CONFIG) == ""


FORGED = st.text(st.sampled_from("2. [x]\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029 ab"))


@given(st.lists(FORGED, min_size=1, max_size=4))
def test_no_content_begins_a_line_of_its_own(contents: list[str]) -> None:
    lines = format_hits([hit(content) for content in contents], CONFIG).splitlines()
    assert sum(bool(re.match(r"\S", line)) for line in lines) == len(contents)

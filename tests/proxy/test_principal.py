import pytest

from proxy.principal import Caller, Principal, PrincipalError


@pytest.mark.parametrize("text", ["agent:researcher", "human:ana@acme.example", "service:etl-2", "agent:a:b", "k_1:9"])
def test_a_principal_has_a_text_form(text: str) -> None:
    principal = Principal.parse(text)
    assert str(principal) == text
    assert f"{principal.kind}:{principal.name}" == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "agent",
        "agent:",
        ":x",
        "Agent:x",
        "agent:-x",
        "agent:x y",
        "agent:x\n",
        "agent:é",
        "1a:x",
        "agent:a/b",
        "agent:*",
        f"agent:{'x' * 129}",
    ],
)
def test_what_is_no_principal_is_refused(text: str) -> None:
    with pytest.raises(PrincipalError, match="must be kind:name in ASCII"):
        Principal.parse(text)


def test_a_role_is_no_principal() -> None:
    with pytest.raises(PrincipalError, match="names a role"):
        Principal.parse("role:admin")


def test_a_key_adds_nothing_by_default() -> None:
    caller = Caller(Principal.parse("agent:x"), "key-1")
    assert caller.floor is None
    assert not caller.read_only

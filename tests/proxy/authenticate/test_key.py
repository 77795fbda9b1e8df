"""The text of a key: one spelling, and a secret that shows itself nowhere."""

import hashlib

import pytest

from proxy.authenticate.key import Key

SECRET = "s" * 43
TEXT = f"sg_abcdefghij12_{SECRET}"


def test_a_generated_key_reads_back_from_its_text() -> None:
    key = Key.generate()
    assert Key.parse(key.text) == key


def test_no_two_keys_are_alike() -> None:
    keys = [Key.generate() for _ in range(200)]
    assert len({key.id for key in keys}) == len({key.secret for key in keys}) == 200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sg_",
        SECRET,
        TEXT[:-1],
        TEXT + "s",
        TEXT + "\n",
        " " + TEXT,
        TEXT.replace("sg_", "SG_"),
        TEXT.replace("sg_", "sk_"),
        TEXT.replace("abcdefghij12", "ABCDEFGHIJ12"),
        TEXT.replace("abcdefghij12", "abcdefghij1"),
        TEXT.replace("s" * 43, "s" * 42 + "="),
        TEXT.replace("abcdefghij12", "аbcdefghij12"),
        TEXT.replace("12_", "1٢_"),
        TEXT.replace("_s", "\0s", 1),
    ],
)
def test_anything_else_is_no_key(text: str) -> None:
    assert Key.parse(TEXT) == Key("abcdefghij12", SECRET)
    assert Key.parse(text) is None


def test_the_secret_is_in_no_repr() -> None:
    assert SECRET not in repr(Key.parse(TEXT))
    assert SECRET not in str(Key.parse(TEXT))


def test_what_is_kept_is_a_hash_of_the_secret() -> None:
    key = Key.parse(TEXT)
    assert key is not None
    assert key.hash == hashlib.sha256(SECRET.encode()).hexdigest()

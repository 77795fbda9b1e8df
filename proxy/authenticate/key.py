"""The text of a key, ``sg_<id>_<secret>``, and the hash that is kept of it."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field

_KEY = re.compile(r"sg_([a-z0-9]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTH = 12
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A key in clear: shown once when it is issued, and read from each request. Its ``repr`` hides the secret."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def generate(cls) -> Key:
        """A new key with 256 random bits in its secret."""
        key_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))
        return cls(key_id, secrets.token_urlsafe(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> Key | None:
        """The key that ``text`` spells, or ``None``."""
        match = _KEY.fullmatch(text)
        return cls(match[1], match[2]) if match else None

    @property
    def text(self) -> str:
        """The key as its bearer sends it."""
        return f"sg_{self.id}_{self.secret}"

    @property
    def hash(self) -> str:
        """What is stored: SHA-256 of the secret. Its 256 random bits make a slow or salted hash pointless."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

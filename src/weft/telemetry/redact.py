"""Redaction: what must never leave is taken out of texts and JSON before they do.

Three nets, one after the other: the values that somebody registered as secret (also Base64- and URL-encoded), the forms
that credentials are known by (`_FORMS`), and the names of keys whose values are secret whatever they look like. Each form
is tried only when a word that it needs is in the text, so ordinary text costs a few substring searches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from weft.core.masking import MASK, KnownValues

_DEPTH = 64

_WORDS = "pass(?:word|wd|phrase)|pwd|secret|(?:api|access|auth|private|account|shared|signing|encryption)[_-]?key"
_KINDS = r"(?:access|auth|refresh|id|session|bearer|api|security|csrf|secret|bot)[_-]?token"
_NAME = rf"(?:[\w.-]*[_.-])?(?:{_WORDS}|{_KINDS}|credentials?|token)(?:[_-]?(?:value|key|access[_-]key))?"

_FORMS: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    (
        ("private key",),
        re.compile(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
            re.DOTALL,
        ),
        MASK,
    ),
    (("eyj",), re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), MASK),
    (
        ("authorization",),
        re.compile(
            r"(?i)(authorization\\?[\"']?\s*[:=]\s*\\?[\"']?)(?!\[redacted\])"
            r"(?:(?:basic|bearer|digest|token|apikey|negotiate|aws4-hmac-sha256)\s+(?!\[redacted\])[^\"'\\\r\n]+|(?=\S*\d)[^\s\"'\\]{8,})"
        ),
        rf"\1{MASK}",
    ),
    (
        ("cookie",),
        re.compile(r"(?i)(\b(?:set-)?cookie\\?[\"']?\s*[:=]\s*\\?[\"']?)(?!\[redacted\])[\w.-]{1,100}=[^\"'\\\r\n]+"),
        rf"\1{MASK}",
    ),
    (("absk",), re.compile(r"\bABSK[\w+/=]{20,}"), MASK),
    (("bearer ",), re.compile(r"(?i)\b(bearer\s+)(?=[\w.~+/=-]*\d)[\w.~+/=-]{12,}"), rf"\1{MASK}"),
    (("://",), re.compile(r"(?i)(\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"']{0,200}:)[^\s/@\"']{1,200}(?=@)"), rf"\1{MASK}"),
    (("sk-", "pk-"), re.compile(r"(?<![\w-])[sp]k-(?=[\w-]*\d)[\w-]{16,}"), MASK),
    (("akia", "asia"), re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    (("gh",), re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{22,})"), MASK),
    (("glpat-",), re.compile(r"\bglpat-[\w-]{20,}"), MASK),
    (("xox",), re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{10,}"), MASK),
    (("aiza",), re.compile(r"\bAIza[\w-]{20,}"), MASK),
    (("ya29.",), re.compile(r"\bya29\.[\w-]{20,}"), MASK),
    (
        ("_live_", "_test_"),
        re.compile(r"\b(?:sk|rk|pk|whsec)_(?:live|test)_[A-Za-z0-9]{16,}"),
        MASK,
    ),
    (
        ("hf_", "npm_", "gsk_", "r8_", "xai-", "pplx-", "dop_v1_"),
        re.compile(r"(?<![\w-])(?:hf_|npm_|gsk_|r8_|xai-|pplx-|dop_v1_)[A-Za-z0-9]{30,}"),
        MASK,
    ),
    (("pypi-",), re.compile(r"\bpypi-AgE[\w-]{30,}"), MASK),
    (("sg.",), re.compile(r"\bSG\.[\w-]{16,}\.[\w-]{16,}"), MASK),
    # name="value", in JSON, TOML, YAML or code: quoted, so whatever stands there is the value.
    (
        ("pass", "pwd", "secret", "key", "token", "credential"),
        re.compile(
            rf"(?i)(?<![\w.-])({_NAME}\\?[\"']?\s*[:=]\s*)(\\?[\"'])(?!\[redacted\])((?:(?!\2)[^\r\n]){{1,}}?)\2"
        ),
        rf"\1\2{MASK}\2",
    ),
    # name=value or name: value, bare: only what does not read like prose.
    (
        ("pass", "pwd", "secret", "key", "token", "credential"),
        re.compile(
            rf"(?i)(?<![\w.-])({_NAME}\s*(?:=\s*(?=[^\s\"',;&]{{3}})|:\s*(?=[^\s\"',;&]*[\d!#%*+/=?@^_~])(?=[^\s\"',;&]{{6}})))"
            r"(?!\[redacted\])(?![\"'\\${<])[^\s\"',;&]+"
        ),
        rf"\1{MASK}",
    ),
)

_KEY_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_WORDS_OF_KEYS = _WORDS.replace("[_-]", "_")
_CURSORS = "".join(
    f"(?<!{word}_)"
    for word in ("next", "page", "continuation", "sync", "stop", "eos", "bos", "pad", "cls", "sep", "unk")
)
_SECRET_KEYS = re.compile(
    rf"(?:^|_)(?:{_WORDS_OF_KEYS}|authorization|cookie|credentials?|{_CURSORS}token)$|secret_access_key$"
)


class Redactor:
    """Takes secrets out of texts and of JSON. One for a process: whoever resolves a secret registers its value.

    `known` are the registered values alone, for where nothing may be taken out on suspicion.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.known = KnownValues(secrets)
        self._keys: dict[str, bool] = {}

    def register(self, value: str) -> bool:
        """Never let `value` leave again. False when it is too short to be told from ordinary words."""
        return self.known.register(value)

    def text(self, text: str) -> str:
        """`text` without secrets."""
        text = self.known.text(text)
        low = text.lower()
        for needles, form, replacement in _FORMS:
            for needle in needles:
                if needle in low:
                    text = form.sub(replacement, text)
                    break
        return text

    def json(self, value: Any) -> Any:
        """`value` without secrets, as new data; references to secrets (``{"$secret": name}``) stay."""
        return self._json(value, 0)

    def _json(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            if depth >= _DEPTH:
                return MASK
            return {
                self.text(key) if isinstance(key, str) else key: (
                    _mask(item) if isinstance(key, str) and self._is_secret_key(key) else self._json(item, depth + 1)
                )
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return MASK if depth >= _DEPTH else [self._json(item, depth + 1) for item in value]
        return value

    def _is_secret_key(self, key: str) -> bool:
        known = self._keys.get(key)
        if known is None:
            known = bool(_SECRET_KEYS.search("_".join(_KEY_PARTS.findall(key[:200])).lower()))
            if len(self._keys) < 10_000:
                self._keys[key] = known
        return known


def _mask(value: Any) -> Any:
    """A value whose key says that it is secret: every text in it goes, a reference stays."""
    if isinstance(value, dict):
        return value if set(value) == {"$secret"} else {key: _mask(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mask(item) for item in value]
    return MASK if isinstance(value, str) and value else value

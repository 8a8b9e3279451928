"""The key that vouches for the end of the audit log. Whoever has its public half can check an export without this home."""

from __future__ import annotations

import base64
import hashlib
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from weft.app.kept_keys import kept
from weft.core.errors import InputError
from weft.store.audit_chain import Head


class AuditKey:
    """Signs with the Ed25519 key of a home, which is made when it is first needed."""

    def __init__(self, home: Path) -> None:
        self._file = home / "secrets" / "audit.pem"

    @property
    def key(self) -> str:
        """The id of the key: the beginning of the hash of its public half."""
        return key_id(self.public)

    @cached_property
    def public(self) -> Ed25519PublicKey:
        """What a check needs."""
        return self._private.public_key()

    def sign(self, statement: bytes) -> str:
        """The signature of `statement`, as Base64."""
        return base64.b64encode(self._private.sign(statement)).decode()

    @cached_property
    def _private(self) -> Ed25519PrivateKey:
        try:
            key = load_pem_private_key(kept(self._file, _new), password=None)
        except (ValueError, TypeError) as error:
            raise _unusable(self._file) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise _unusable(self._file)
        return key


def _new() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: Ed25519PublicKey) -> str:
    """A public key in PEM form."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def public_from(pem: bytes, where: Path) -> Ed25519PublicKey:
    """The public key in a PEM text.

    Raises:
        InputError: it is none.
    """
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError) as error:
        raise _unusable(where) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _unusable(where)
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """The id of a key."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def is_signed(head: Head, key: Ed25519PublicKey) -> bool:
    """Whether `key` vouches for a head."""
    try:
        key.verify(base64.b64decode(head.signature, validate=True), head.statement())
    except (InvalidSignature, ValueError):
        return False
    return head.key == key_id(key)


def _unusable(file: Path) -> InputError:
    return InputError(f"{file} holds no Ed25519 key in PEM form", fix="use the file that `weft audit key` has printed")

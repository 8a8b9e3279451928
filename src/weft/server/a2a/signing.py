"""Signatures of agent cards: JWS over the card in its canonical form, with a key of the settings."""

from __future__ import annotations

import hashlib
from pathlib import Path

from a2a.types import a2a_pb2
from a2a.utils.signing import ProtectedHeader, create_agent_card_signer
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from weft.core.errors import InputError


class Signer:
    """Signs cards with ES256. The key's id is the beginning of the hash of its public half."""

    def __init__(self, file: Path) -> None:
        try:
            key = load_pem_private_key(file.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise _unusable(file) from error
        if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
            raise _unusable(file)
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        header = ProtectedHeader(kid=hashlib.sha256(public).hexdigest()[:16], alg="ES256", jku=None, typ="JOSE")
        kept = {name: value for name, value in header.items() if value is not None}
        self._sign = create_agent_card_signer(key, kept)  # type: ignore[arg-type]  # it asks for fields that it may be without

    def sign(self, card: a2a_pb2.AgentCard) -> a2a_pb2.AgentCard:
        """`card` with a signature."""
        return self._sign(card)


def _unusable(file: Path) -> InputError:
    return InputError(
        f"{file} holds no EC P-256 private key in PEM form",
        fix="make one with `openssl ecparam -name prime256v1 -genkey -noout`, for the setting server.card_key",
    )

"""Tokens of another issuer (JWT): whether one is genuine, meant for us and still good, and who shows it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from weft.app.admission.keyset import ALGORITHMS, KeySet
from weft.app.identity import RESERVED, Identity, Known
from weft.app.rights import ROLES
from weft.core.errors import AuthError, InputError
from weft.core.owner import LOCAL, Owner
from weft.core.settings_model import IdentitySettings

_MAX = 16_384
_LEEWAY_S = 30
_HMAC = ("HS256", "HS384", "HS512")


class Tokens:
    """Checks tokens as the settings say."""

    def __init__(self, settings: IdentitySettings, identity: Identity, keys: KeySet) -> None:
        self._settings = settings
        self._identity = identity
        self.keys = keys

    def known(self, token: str) -> Known:
        """Who shows this token.

        Raises:
            UnknownKeyError: its key has to be fetched first.
            AuthError: it is none of ours, over, or its user is disabled.
        """
        return self.person(self.claims(token, audience=self._settings.audience or self._settings.client_id))

    def claims(self, token: str, *, audience: str | None) -> dict[str, Any]:
        """What a genuine token says.

        Raises:
            AuthError: it is not genuine.
        """
        if len(token) > _MAX:
            raise AuthError("the token is too long", fix="sign in again")
        try:
            header = jwt.get_unverified_header(token)
            algorithm = str(header.get("alg", ""))
            key, allowed = self._key(header)
            # The algorithm is decided by the key that we have, never by what the token says of itself.
            if algorithm not in allowed:
                raise AuthError("the token is signed in a way that its key is not for", fix="sign in again")
            found: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=audience,
                issuer=self._settings.issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise AuthError(f"the token is not accepted: {_said(error)}", fix="sign in again") from error
        return found

    def person(self, claims: Mapping[str, Any]) -> Known:
        """Who the claims of a genuine token are about. A user who is known here has the role that stands here.

        Raises:
            AuthError: they have no place here.
        """
        subject, tenant = str(claims["sub"]), LOCAL.tenant
        if self._settings.tenant_claim:
            tenant = str(claims.get(self._settings.tenant_claim, ""))
        if not _is_name(subject) or not _is_name(tenant) or subject in {LOCAL.principal, *RESERVED}:
            raise AuthError("the token names nobody who can be a user here", fix="check the claims of the issuer")
        role = self._role(claims)
        return self._identity.person(Owner(tenant, subject), role)

    def _role(self, claims: Mapping[str, Any]) -> str:
        said = claims.get(self._settings.role_claim) if self._settings.role_claim else None
        names = said if isinstance(said, list) else [said]
        return next((name for name in ROLES if name in names), self._settings.role)

    def _key(self, header: Mapping[str, Any]) -> tuple[Any, tuple[str, ...]]:
        settings = self._settings
        if settings.secret is not None:
            return settings.secret.get_secret_value(), _HMAC
        if settings.public_key is not None:
            return self._own
        found = self.keys.get(str(header.get("kid", "")))
        return found.key, ALGORITHMS[found.key_type or ""]

    @cached_property
    def _own(self) -> tuple[Any, tuple[str, ...]]:
        file = self._settings.public_key
        assert file is not None
        try:
            key = load_pem_public_key(file.read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(f"{file} holds no public key in PEM form", fix="check identity.public_key") from error
        kind = "RSA" if isinstance(key, RSAPublicKey) else "EC" if isinstance(key, EllipticCurvePublicKey) else "OKP"
        return key, ALGORITHMS[kind]


def _is_name(text: str) -> bool:
    return 0 < len(text) <= 200 and text.isprintable() and text == text.strip()


def _said(error: jwt.PyJWTError) -> str:
    """What is wrong with a token, in words that hold nothing of it."""
    kinds = {
        jwt.ExpiredSignatureError: "it is over",
        jwt.ImmatureSignatureError: "it is not good yet",
        jwt.InvalidAudienceError: "it is meant for somebody else",
        jwt.InvalidIssuerError: "it is another issuer's",
        jwt.MissingRequiredClaimError: "a claim is missing",
        jwt.InvalidSignatureError: "its signature is wrong",
    }
    return kinds.get(type(error), "it is not in order")

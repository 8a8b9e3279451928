"""Signatures of webhooks, as the Standard Webhooks specification (standardwebhooks.com) has them.

``Webhook-Signature: v1,<base64 of HMAC-SHA256(secret, "id.timestamp.body")>``. The id and the time are signed too: whoever checks
both is safe from a message that is sent again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from pathlib import Path

from weft.app.kept_keys import kept
from weft.core.errors import AuthError

PREFIX = "whsec_"
TOLERANCE_S = 300.0
"""How far the time of a message may be from now."""


class UnprovenError(AuthError):
    """Nothing shows that whoever sent a message knows the secret."""


class Keyring:
    """Secrets of webhooks, each made from one key of this home: none of them stands in the database."""

    def __init__(self, home: Path) -> None:
        self._file = home / "secrets" / "webhooks.key"

    def secret(self, webhook_id: str, version: int = 1) -> str:
        """The secret of a webhook; another version is another secret."""
        made = hmac.new(self._master(), f"{webhook_id}:{version}".encode(), hashlib.sha256).digest()
        return PREFIX + base64.b64encode(made).decode()

    def _master(self) -> bytes:
        return kept(self._file, lambda: os.urandom(32))


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The signature of a message that is sent at `timestamp` (seconds since the epoch)."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that go along with a message."""
    return {
        "Webhook-Id": message_id,
        "Webhook-Timestamp": str(timestamp),
        "Webhook-Signature": sign(secret, message_id, timestamp, body),
    }


def verify(secret: str, given: Mapping[str, str], body: bytes, *, now: float) -> str:
    """The id of a message whose headers (names in lower case) prove that it was signed with `secret` a moment ago.

    Raises:
        UnprovenError: they do not.
        AuthError: they do, but it is too old.
    """
    message_id, stamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    shown = given.get("webhook-signature", "").split()
    if not message_id or not shown or len(message_id) > 200 or not (stamp.isascii() and stamp.isdigit()):
        raise UnprovenError(
            "the message is not signed", fix="send Webhook-Id, Webhook-Timestamp (seconds) and Webhook-Signature"
        )
    expected = sign(secret, message_id, int(stamp[:15]), body).encode()
    # Every one is compared, so that the time it takes tells nothing.
    fits = [hmac.compare_digest(one.encode(), expected) for one in shown[:10]]
    if not any(fits):
        raise UnprovenError(
            "the signature of the message is wrong", fix="sign `id.timestamp.body` with the webhook's secret"
        )
    if abs(now - int(stamp[:15])) > TOLERANCE_S:
        raise AuthError(
            "the message is too old or from the future", fix=f"its time may be {TOLERANCE_S:g} seconds from now"
        )
    return message_id


def verify_github(secret: str, given: Mapping[str, str], body: bytes) -> str:
    """The same for the form that GitHub has: ``X-Hub-Signature-256`` over the body alone, with an id and without a time.

    Raises:
        UnprovenError: the headers prove nothing.
        AuthError: the message has no id.
    """
    message_id = given.get("x-github-delivery", "")
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    shown = given.get("x-hub-signature-256", "")
    if not hmac.compare_digest(shown.encode(), expected.encode()):
        raise UnprovenError("the signature of the message is wrong", fix="give the sender the webhook's secret")
    if not message_id or len(message_id) > 200:
        raise AuthError("the message has no id", fix="send X-GitHub-Delivery")
    return message_id

"""Signatures of messages: what they prove, and what they do not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import stat

import pytest

from weft.app.telling.signing import Keyring, headers, sign, verify, verify_github
from weft.core.errors import AuthError


def lower(given: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in given.items()}


def test_the_signature_is_that_of_the_standard():
    # The example of the specification (standardwebhooks.com, "Symmetric").
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert (
        sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_message_proves_who_has_signed_it_and_when(tmp_path):
    secret = Keyring(tmp_path).secret("w")
    body = b'{"a": 1}'
    given = lower(headers(secret, "m1", 1_000, body))
    assert verify(secret, given, body, now=1_100) == "m1"
    for wrong in (
        {**given, "webhook-id": "m2"},
        {**given, "webhook-timestamp": "1001"},
        {**given, "webhook-timestamp": "1_000"},
        {**given, "webhook-signature": "v1,AAAA"},
        {name: value for name, value in given.items() if name != "webhook-signature"},
    ):
        with pytest.raises(AuthError):
            verify(secret, wrong, body, now=1_100)
    with pytest.raises(AuthError):
        verify(secret, given, b'{"a": 2}', now=1_100)
    with pytest.raises(AuthError, match="too old"):
        verify(secret, given, body, now=1_301)
    assert verify(secret, {**given, "webhook-signature": f"v1,AAAA {given['webhook-signature']}"}, body, now=1_000)


def test_each_webhook_and_version_has_a_secret_of_its_own_that_stays(tmp_path):
    keys = Keyring(tmp_path)
    made = {keys.secret("a"), keys.secret("b"), keys.secret("a", 2)}
    assert len(made) == 3
    assert Keyring(tmp_path).secret("a") in made
    file = tmp_path / "secrets" / "webhooks.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(base64.b64decode(keys.secret("a").removeprefix("whsec_"))) == 32


def test_the_form_of_github_is_known():
    body = b"{}"
    right = "sha256=" + hmac.new(b"s", body, hashlib.sha256).hexdigest()
    assert verify_github("s", {"x-hub-signature-256": right, "x-github-delivery": "d"}, body) == "d"
    with pytest.raises(AuthError):
        verify_github("s", {"x-hub-signature-256": right}, body)
    with pytest.raises(AuthError):
        verify_github("t", {"x-hub-signature-256": right, "x-github-delivery": "d"}, body)

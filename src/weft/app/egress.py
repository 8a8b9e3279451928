"""Where requests may go, as the settings say."""

from __future__ import annotations

from weft.core.settings import Settings
from weft.net.egress import EgressPolicy


def egress_policy(settings: Settings) -> EgressPolicy:
    """Where requests of tools may go."""
    net = settings.net
    return EgressPolicy(
        allow_loopback=net.allow_loopback,
        allow_private=net.allow_private,
        allowed_domains=net.allowed_domains,
        blocked_patterns=net.blocked_patterns,
        connect_timeout_s=net.connect_timeout_s,
        timeout_s=net.timeout_s,
        max_response_bytes=net.max_response_bytes,
    )

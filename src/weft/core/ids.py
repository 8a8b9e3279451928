"""Identifiers."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable

Entropy = Callable[[int], bytes]
"""A source of random bytes; `os.urandom` outside simulations."""


def uuid7(*, millis: int | None = None, entropy: Entropy = os.urandom) -> str:
    """A new UUID version 7 (RFC 9562 §5.7): sorts by time of creation to the millisecond."""
    at = time.time_ns() // 1_000_000 if millis is None else millis
    tail = int.from_bytes(entropy(10), "big")
    value = (at & (1 << 48) - 1) << 80 | 0x7 << 76 | (tail >> 62 & 0xFFF) << 64 | 0b10 << 62 | tail & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def path_key(run_id: str, path: str) -> str:
    """A key for one step of one run, stable over attempts and crashes: 128 bits in hex, fit for an Idempotency-Key."""
    return hashlib.sha256(f"{run_id}\n{path}".encode()).hexdigest()[:32]

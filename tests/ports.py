"""Ports of this machine for services that are told where to listen before they start, and that come back there."""

from __future__ import annotations

import os
import random
import re
import socket
from contextlib import suppress

_OURS = range(12_000, 32_000)
"""Below what the kernel gives whoever asks for any port: nobody who connects somewhere is given one of these meanwhile."""
_WORKERS = 8
_DRAW = random.Random(os.urandom(8))


def free_port() -> int:
    """A port that nobody listens on, and that no other worker of the tests is given.

    What the kernel would name when asked for any port is soon given to somebody else, between two lives of a service for example.
    """
    found = re.search(r"\d+$", os.environ.get("PYTEST_XDIST_WORKER", ""))
    own = _OURS[(int(found[0]) if found else 0) % _WORKERS :: _WORKERS]
    for port in _DRAW.sample(own, len(own)):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("there is no free port")

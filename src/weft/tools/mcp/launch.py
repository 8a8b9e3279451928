"""Sets limits on itself and becomes another program: ``python launch.py LIMITS COMMAND ARGUMENT…``.

It runs as a script of its own, before the server's program, so that nothing of the server ever runs without its limits.
`LIMITS` is ``NAME=VALUE,…`` over the names of `resource`.
"""

from __future__ import annotations

import os
import resource
import sys

_NOT_FOUND = 127


def main(limits: str, command: list[str]) -> int:
    """Take the limits and become `command`; returns only when that cannot be done."""
    for entry in limits.split(","):
        name, _, value = entry.partition("=")
        kind = getattr(resource, name)
        _, hard = resource.getrlimit(kind)
        most = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
        resource.setrlimit(kind, (most, most))
    try:
        os.execvp(command[0], command)  # noqa: S606 -- no shell is what is wanted
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return _NOT_FOUND


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

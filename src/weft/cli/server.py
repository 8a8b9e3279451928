"""``--server URL``: which service a command is for. It may stand before the command or after it."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass

from weft.core.errors import InputError

OPTION = "--server"
HERE = frozenset(
    {
        "init", "validate", "plan", "schema", "simulate", "list-tools", "agents", "atomic", "tools", "mcp", "up", "worker",
        "version", "audit", "users", "keys", "link", "explain", "list-supported",
    }
)  # fmt: skip
"""Commands about this machine, its files and its processes. They work here, whatever the settings say of a service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a command line says of a service. `here` says that the command is for this machine."""

    url: str | None = None
    here: bool = False


NAMED: ContextVar[Named] = ContextVar("named")
"""What the command line of this process says."""


def taken(argv: Sequence[str], commands: Sequence[str]) -> tuple[list[str], Named]:
    """The command line without ``--server URL``, and what that said.

    Raises:
        InputError: there is no address behind it, or the command is for this machine.
    """
    end = list(argv).index("--") if "--" in argv else len(argv)
    args, url = list(argv[:end]), None
    for place in reversed(range(len(args))):
        if args[place] == OPTION:
            if place + 1 == len(args):
                raise InputError("--server needs an address", fix="write --server http://127.0.0.1:8480")
            url = args[place + 1]
            del args[place : place + 2]
        elif args[place].startswith(f"{OPTION}="):
            url = args.pop(place).partition("=")[2]
    command = next((arg for arg in args if arg in commands), "")
    if url is not None and command in HERE:
        raise InputError(
            f"`weft {command}` works on the machine where it is called, and not over a service",
            fix="leave --server out",
        )
    return [*args, *argv[end:]], Named(url=url, here=command in HERE)

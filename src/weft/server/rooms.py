"""What each part of the service is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from weft.app.hosting import Host
from weft.server.caller import Doorkeeper
from weft.server.problems import Form
from weft.server.standing import Ending, Standing

Opening = Callable[[], AbstractAsyncContextManager[object]]
"""Makes a context that is entered when the service begins and left when it stops."""


@dataclass(frozen=True)
class Rooms:
    """What a part of the service is given when it is put in: the host, and the way to be opened and closed with the service."""

    host: Host
    doorkeeper: Doorkeeper
    url: str
    """The address under which clients reach the service, without a slash at its end."""
    standing: Standing
    """Ends streams whose readers may not read on."""
    openings: list[Opening] = field(default_factory=list)
    forms: dict[str, Form] = field(default_factory=dict)
    """How errors look at paths that begin so; elsewhere they are problems."""
    endings: dict[str, Ending] = field(default_factory=dict)
    """How a stream at paths that begin so ends with an error; elsewhere with an event ``error`` that is a problem."""
    short: list[Callable[..., Awaitable[Any]]] = field(default_factory=list)
    """Functions of routes that are asked for so often that plain requests reach them the short way."""

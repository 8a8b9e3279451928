"""How a service behaves beside the rule: the profile for the official conformance kit, which is served by ``weft up --profile``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from weft.app.serving.library import Published
from weft.core.errors import InputError, PolicyError
from weft.core.settings import Settings
from weft.spec.load import load

CONFORMANCE = "a2a-conformance"
BEHAVIOURS = Path(__file__).with_name("behaviours")
"""The workflows of the profile, each named for the message ids that it answers."""
_REFUSED, _USUAL = "tck-reject-task", "tck-complete-task"


@dataclass(frozen=True)
class Profile:
    """The rule: a repeated message id is a repeated message, and parts have media types that agents take."""

    any_mode: bool = False
    """Parts of every media type are taken."""
    ids_repeat: bool = False
    """The same message id may be sent again and mean something new."""

    def target(self, message_id: str) -> Published | None:
        """What a message with this id is for, whatever it was sent to; None where the request says it."""
        del message_id
        return None


PLAIN = Profile()


class Conformance(Profile):
    """The beginning of a message's id says what is to happen: the kit has no other way to ask for it."""

    def __init__(self) -> None:
        super().__init__(any_mode=True, ids_repeat=True)

    @cached_property
    def _behaviours(self) -> dict[str, Published]:
        found = {}
        for file in sorted(BEHAVIOURS.glob("*.yaml")):
            workflow = load(file)
            found[workflow.name] = Published(name=workflow.name, kind="workflow", file=file, workflow=workflow)
        return found

    def target(self, message_id: str) -> Published | None:
        """The workflow whose name the id begins with; the longest name counts.

        Raises:
            PolicyError: the kit wants to see a task refused.
        """
        if message_id.startswith(_REFUSED):
            raise PolicyError("rejected")
        names = [name for name in self._behaviours if message_id.startswith(name)]
        return self._behaviours[max(names, key=len, default=_USUAL)]


def for_conformance(settings: Settings, name: str) -> Settings:
    """The settings of a service for the kit: no credential, its own workflows, webhooks of this machine, gRPC on a free port.

    Raises:
        InputError: there is no such profile.
    """
    if name != CONFORMANCE:
        raise InputError(f"there is no profile {name!r}", fix=f"the only one is {CONFORMANCE}")
    server = settings.server.model_copy(
        update={
            "profile": name,
            "folders": (BEHAVIOURS,),
            "grpc_port": settings.server.grpc_port or 0,
            "token": None,
            "agent": _USUAL,
        }
    )
    return settings.model_copy(
        update={
            "server": server,
            "net": settings.net.model_copy(update={"allow_loopback": True}),
            "tools": settings.tools.model_copy(
                update={"allowed_folders": (*settings.tools.allowed_folders, BEHAVIOURS)}
            ),
        }
    )


def profile_of(name: str) -> Profile:
    """The profile of that name; the rule without one."""
    return Conformance() if name == CONFORMANCE else PLAIN

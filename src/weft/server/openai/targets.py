"""What can be asked as a model: what is served, models as they stand where the settings allow them, and ``weft/auto``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weft.app.hosting import Host
from weft.app.serving.automatic import AUTO, Mode
from weft.app.serving.inputs import Message
from weft.app.serving.library import Published
from weft.app.serving.passing import is_allowed, relayed
from weft.app.serving.turns import Made
from weft.core.errors import NotFoundError, PolicyError, UnsupportedError
from weft.server.caller import Caller
from weft.spec.suggest import did_you_mean

OFFLINE = "offline/"


@dataclass(frozen=True, slots=True)
class Target:
    """What answers: `one`, and for ``weft/auto`` the `mode` in which it was found."""

    one: Published | Made
    mode: str = ""

    @property
    def told(self) -> dict[str, str]:
        """What a client is told of it."""
        return {"mode": self.mode, "target": self.one.name} if self.mode else {}


class Targets:
    """Finds what a model id means."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def target(
        self,
        model: str,
        by: Caller,
        mode: Mode,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]],
    ) -> Target:
        """What answers `messages` when `model` is asked for; `mode` is how ``weft/auto`` finds it, for a client with these `tools`.

        Raises:
            WeftError: see `find`; or ``weft/auto`` finds nobody.
        """
        if model != AUTO:
            return Target(self.find(model, by))
        route = self._host.automatic.route(mode, messages, tenant=by.tenant, tools=tools)
        return Target(route.target, route.mode)

    def find(self, model: str, by: Caller) -> Published | Made:
        """What `model` means to a caller.

        Raises:
            NotFoundError: nothing; a model that may not be asked as it stands is not there either.
            PolicyError: the service runs offline, and the model does not.
        """
        served = {one.name: one for one in self._host.library.all(tenant=by.tenant)}
        if model in served:
            return served[model]
        if is_allowed(model, self._host.settings.server.models):
            if self._host.choice.offline and not model.startswith(OFFLINE):
                raise PolicyError(f"the service runs offline and cannot ask {model}", fix="start it without --offline")
            return relayed(model, self._host.choice)
        known = [one["id"] for one in self.all(by)]
        fix = did_you_mean(model, known, noun="models") if known else "serve a workflow, or set server.models"
        raise NotFoundError(f"there is no model {model!r}", fix=fix, param="model")

    def all(self, by: Caller) -> list[dict[str, Any]]:
        """Every model that a caller can ask, as OpenAI describes one."""
        served = self._host.library.all(tenant=by.tenant)
        found = [_entry(one.name, one.changed_at // 1_000_000, one.description, one.kind) for one in served]
        if any(one.kind == "agent" for one in served):
            found.append(_entry(AUTO, 0, "Finds out which agents are needed, and asks them.", "auto"))
        names = [name for name in self._host.settings.server.models if not name.endswith("/*")]
        taken = {one["id"] for one in found}
        return [*found, *(_entry(name, 0, "", "model") for name in names if name not in taken)]


def _entry(name: str, created: int, description: str, kind: str) -> dict[str, Any]:
    owner = name.partition("/")[0] if kind == "model" else "weft"
    about = {"kind": kind, **({"description": description} if description else {})}
    return {"id": name, "object": "model", "created": created, "owned_by": owner, "weft": about}


def takes_tools(one: Published | Made) -> bool:
    """Whether tools of the client are of use to it: a model as it stands, an agent by itself, or a plan that was made with them."""
    return isinstance(one, Made) or bool(one.agent) or len(one.workflow.agents) == 1


def refuse_tools(model: str) -> UnsupportedError:
    """The refusal of a client's tools by something that brings its own."""
    return UnsupportedError(
        f"{model} has several agents: none of the client's tools is for all of them",
        fix="leave `tools` out, or ask one agent (`workflow/agent`), or a model as it stands (`provider/name`)",
        param="tools",
    )

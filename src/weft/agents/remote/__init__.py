"""Remote agents: asked over A2A, each call a step, each of their questions a gate of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from weft.core.errors import UnsupportedError
from weft.engine.port import StepContext
from weft.net.egress import EgressPolicy
from weft.plan.nodes import Call
from weft.tools.port import ToolContext

if TYPE_CHECKING:  # the protocol's package is optional, and takes long to import
    from weft.agents.remote.peers import Peers


class RemoteAgents:
    """Asks remote agents where `policy` lets requests go; for one event loop."""

    def __init__(self, policy: EgressPolicy, tool_context: Callable[[StepContext], ToolContext]) -> None:
        self._policy = policy
        self._tool_context = tool_context
        self._peers: Peers | None = None

    async def ask(self, call: Call, prompt: str, definition: Mapping[str, Any], context: StepContext) -> dict[str, Any]:
        """What the agent that `definition` points to answers to `prompt`, as the value of an agent's step.

        Raises:
            UnsupportedError: the package for it is not installed.
            WeftError: it cannot be reached, refuses, or fails.
            StepSuspended: it asks something that nobody has answered yet.
        """
        try:
            peers, talk = import_module("weft.agents.remote.peers"), import_module("weft.agents.remote.talk")
        except ModuleNotFoundError as error:
            raise UnsupportedError(
                f"the agent {call.target!r} is asked over A2A, which needs the package {error.name!r}",
                fix="pip install 'weft[a2a]'",
            ) from error
        around = self._tool_context(context)
        headers = {name: around.secrets.expand(text) for name, text in (definition.get("headers") or {}).items()}
        if self._peers is None:
            self._peers = peers.Peers(self._policy)
        peer = await self._peers.reach(definition["a2a"], headers, around)
        value: dict[str, Any] = await talk.Talk(peer, call, prompt, context, around.secrets.mask_json).through()
        return value

    async def call_off(self, task: str, definition: Mapping[str, Any], around: ToolContext) -> None:
        """Tell the agent that `definition` points to that nobody waits for its `task` any more; one that has ended stays as it is.

        Raises:
            WeftError: the agent cannot be reached.
        """
        peers, talk = import_module("weft.agents.remote.peers"), import_module("weft.agents.remote.talk")
        headers = {name: around.secrets.expand(text) for name, text in (definition.get("headers") or {}).items()}
        if self._peers is None:
            self._peers = peers.Peers(self._policy)
        await talk.call_off(await self._peers.reach(definition["a2a"], headers, around), task)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._peers is not None:
            await self._peers.aclose()

"""The performer of ``swarm`` calls: pure computations over what agents have said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from weft.agents.swarm import ballots, board, gossip, handoff, statements, votes
from weft.core.errors import InternalError, Place, WeftError
from weft.engine.port import Done, StepContext
from weft.plan.nodes import Call
from weft.plan.template import render_value

Json = Any
Function = Callable[[Mapping[str, Json], Mapping[str, Json], str], dict[str, Json]]
"""From settings, what was given and a seed to a value; the same three give the same value."""

FUNCTIONS: Mapping[str, Function] = {
    "vote.count": votes.count,
    "vote.result": votes.result,
    "debate.listen": statements.listen,
    "debate.result": statements.result,
    "handoff.pass": handoff.pass_on,
    "board.open": board.begin,
    "board.merge": board.merge,
    "board.result": board.result,
    "gossip.begin": gossip.begin,
    "gossip.exchange": gossip.exchange,
    "gossip.accept": gossip.accept,
    "gossip.result": gossip.result,
    "consensus.call": ballots.call,
    "consensus.count": ballots.count,
    "consensus.result": ballots.result,
}
"""By the target of the call."""


class SwarmPerformer:
    """Performs ``swarm`` calls: `settings` of the call as they stand, what is `given` rendered."""

    derived = True
    computes = True

    async def perform(self, call: Call, scope: Mapping[str, Json], context: StepContext) -> Done:
        """Compute the value.

        Raises:
            RejectedError: the group has not agreed.
            LimitError: it takes more rounds than allowed.
        """
        function = FUNCTIONS.get(call.target)
        if function is None:
            raise InternalError(f"nobody here computes {call.target!r}", path=context.path)
        given = render_value(call.input.get("given") or {}, scope)
        try:
            return Done(function(call.input.get("settings") or {}, given, context.key))
        except WeftError as error:
            error.place = Place(path=context.path)
            raise

    async def check(self, call: Call, scope: Mapping[str, Json], context: StepContext) -> Done | None:
        """A computation has no effect to ask about."""
        del call, scope, context
        return None

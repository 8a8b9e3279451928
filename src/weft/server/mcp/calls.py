"""A call of a workflow or an agent: it starts a run, tells how it goes, asks what it asks, and returns its answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import CallToolRequestParams, CallToolResult, ElicitResult, InputRequiredResult

from weft.app.hosting import Host
from weft.app.serving.items import Ended, Item, Waits
from weft.app.serving.library import Published
from weft.app.serving.places import BEGINNING, Place
from weft.app.serving.questions import open_gates
from weft.app.serving.turns import Begun, Turn
from weft.core.errors import InputError, MismatchError
from weft.server.caller import Caller
from weft.server.mcp.abandoning import Abandoned
from weft.server.mcp.elicitation import ask, can_ask, decide, forms, left_s, sent_away
from weft.server.mcp.exchange import Context, is_modern, session_of
from weft.server.mcp.progress import Progress
from weft.server.mcp.results import Results

KEY = "weft/key"
"""The member of a request's ``_meta`` that makes a call harmless to repeat."""
_MAX_KEY = 200
_WAIT_S = 30.0
"""How long a call stays with a run that waits for time or for a message from outside."""
_CALL_S = 3_600.0
"""How long a call lasts at most; the run goes on without it."""
_TRIES = 3
"""How often a person is asked again whose answer does not fit."""


@dataclass(slots=True)
class _Call:
    """One call under way."""

    ctx: Context
    caller: Caller
    run_id: str
    progress: Progress
    place: Place = BEGINNING
    """Where it was sent away before, with questions."""


class Calls:
    """Performs calls of what is served."""

    def __init__(self, host: Host, results: Results, abandoned: Abandoned) -> None:
        self._host = host
        self._results = results
        self._abandoned = abandoned

    async def perform(
        self, ctx: Context, params: CallToolRequestParams, target: Published, caller: Caller
    ) -> CallToolResult | InputRequiredResult:
        """Perform one. In a revision without questions from the server, a call may come again with the answers to them."""
        key = _key(ctx)
        if params.request_state is None:
            turn = Turn(
                target=target,
                inputs=params.arguments or {},
                owner=caller.owner,
                choice=self._host.choice,
                key=key,
                scope="mcp",
            )
            call = _Call(ctx, caller, await self._begin(ctx, turn, caller), Progress(ctx))
        else:
            call = self._come_back(ctx, params.request_state, caller)
        try:
            again = await self._hear(call, params.input_responses or {})
            return again or await self._follow(call)
        except asyncio.CancelledError:
            self._abandon(ctx, call.run_id, caller)
            raise

    async def _begin(self, ctx: Context, turn: Turn, caller: Caller) -> str:
        """Begin the run of a call. One that is cut off meanwhile has a run all the same, which is then given up."""
        beginning = asyncio.ensure_future(self._host.begin(turn))
        try:
            return (await asyncio.shield(beginning)).run_id
        except asyncio.CancelledError:

            def give_up(begun: asyncio.Future[Begun]) -> None:
                if not begun.cancelled() and begun.exception() is None:
                    self._abandon(ctx, begun.result().run_id, caller)

            beginning.add_done_callback(give_up)
            raise

    def _abandon(self, ctx: Context, run_id: str, caller: Caller) -> None:
        self._abandoned.call(ctx, run_id, keyed=bool(_meta_key(ctx)), principal=caller.principal)

    def _come_back(self, ctx: Context, state: str, caller: Caller) -> _Call:
        # The library has opened the seal: this is what a call of this tool with these arguments was sent away with, and the
        # same principal. What a run is now, the journal says.
        try:
            known = json.loads(state)
            run_id, place = str(known["run"]), Place(int(known["after"]), int(known["since"]))
        except (ValueError, KeyError, TypeError):
            raise MismatchError("the state of the request is of another version", fix="call the tool anew") from None
        self._host.journal.runs.get(run_id, tenant=caller.tenant)
        return _Call(ctx, caller, run_id, Progress(ctx), place)

    async def _hear(self, call: _Call, responses: Mapping[str, Any]) -> CallToolResult | InputRequiredResult | None:
        """Take the answers that a call brings; a result when they leave something open."""
        gates = {gate.id: gate for gate in open_gates(self._host.journal, call.run_id)}
        for gate_id, said in responses.items():
            if gate_id not in gates or not isinstance(said, ElicitResult):
                continue  # decided meanwhile, or never asked here
            if not call.caller.may("gates:decide"):
                return self._handle(call)
            try:
                if not await decide(self._host, gates[gate_id], said, call.caller):
                    return self._handle(call)
            except InputError as error:
                return await self._ask(call, note=error.message) or self._handle(call)
        # What is still open, for an answer was missing, is asked again: nothing else would come.
        return await self._ask(call) if call.place.after else None

    async def _follow(self, call: _Call) -> CallToolResult | InputRequiredResult:
        until = asyncio.get_running_loop().time() + _CALL_S
        async with aclosing(self._host.replies.follow(call.run_id, call.place)) as items:
            patience: float | None = None
            while True:
                item = await _next(items, until, patience)
                if item is None:
                    return self._handle(call)
                await call.progress.tell(item)
                if isinstance(item, Ended):
                    return self._results.of(call.run_id, item)
                patience = None
                # What the journal says of an earlier wait has been answered since.
                if isinstance(item, Waits) and item.seq == self._host.journal.runs.get(call.run_id).head_seq:
                    call.place = Place(item.seq, item.at)
                    result = await self._ask(call)
                    if result is not None:
                        return result
                    patience = _WAIT_S

    async def _ask(self, call: _Call, *, note: str = "") -> CallToolResult | InputRequiredResult | None:
        """Ask what the run asks; None when it can be followed on, else what the call ends with."""
        misfits = 0
        while gates := open_gates(self._host.journal, call.run_id):
            at = self._host.clock.micros()
            questions = forms(gates, call.caller, at, note=note) if can_ask(call.ctx) else None
            if questions is None:
                return self._handle(call)
            if is_modern(call.ctx):
                return sent_away(questions, {"run": call.run_id, "after": call.place.after, "since": call.place.since})
            try:
                said = await ask(call.ctx, questions[gates[0].id], for_s=left_s(gates[0], at))
                if not await decide(self._host, gates[0], said, call.caller):
                    return self._handle(call)
                note = ""
            except InputError as error:
                misfits, note = misfits + 1, error.message
                if misfits == _TRIES:
                    return self._handle(call)
            except MCPError:
                return self._handle(call)
        return None

    def _handle(self, call: _Call) -> CallToolResult:
        return self._results.of(call.run_id, self._host.replies.ended(call.run_id))


async def _next(items: AsyncGenerator[Item], until: float, patience: float | None) -> Item | None:
    """The next item; None when it does not come in time."""
    loop = asyncio.get_running_loop()
    by = until if patience is None else min(until, loop.time() + patience)
    try:
        async with asyncio.timeout_at(by):
            return await anext(items)
    except (TimeoutError, StopAsyncIteration):
        return None


def _meta_key(ctx: Context) -> str:
    key = (ctx.meta or {}).get(KEY)
    if key is None:
        return ""
    if not isinstance(key, str) or not 0 < len(key) <= _MAX_KEY:
        raise InputError(f"{KEY} in _meta must be a text of 1 to {_MAX_KEY} characters", fix="give a shorter one")
    return key


def _key(ctx: Context) -> str:
    """What makes two requests the same: a key that the caller gives; else the id of a request, unique within a session."""
    key = _meta_key(ctx)
    if key:
        return f"key {key}"
    session = session_of(ctx)
    return f"session {session} {ctx.request_id}" if session and not is_modern(ctx) else ""

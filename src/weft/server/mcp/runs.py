"""The tools about runs: start one without waiting, look at it, have its answer, answer its gates, cancel it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from mcp_types import CallToolResult
from pydantic import BaseModel, ValidationError

from weft.app.hosting import Host
from weft.app.serving.items import Ended, Waits
from weft.app.serving.places import here
from weft.app.serving.questions import answer_of, open_gates, root_of
from weft.app.serving.turns import Turn
from weft.core.errors import InputError, NotFoundError
from weft.server.caller import Caller
from weft.server.mcp.offer import GENERIC, Cancel, Decide, Result, Start, Status
from weft.server.mcp.results import Results, listing
from weft.store.runs import Run

_LISTED = 20


class RunTools:
    """Performs them. What belongs to another tenant is not there."""

    def __init__(self, host: Host, results: Results) -> None:
        self._host = host
        self._results = results
        self._acts: Mapping[str, Callable[[Any, Caller], Awaitable[CallToolResult]]] = {
            "weft_start": self._start,
            "weft_status": self._status,
            "weft_result": self._result,
            "weft_answer": self._answer,
            "weft_cancel": self._cancel,
        }

    async def perform(self, name: str, arguments: Mapping[str, Any], caller: Caller) -> CallToolResult:
        """Perform one of them.

        Raises:
            InputError: the arguments do not fit.
        """
        return await self._acts[name](_read(GENERIC[name], arguments), caller)

    async def _start(self, asked: Start, caller: Caller) -> CallToolResult:
        _demand(caller, "runs:start")
        turn = Turn(
            target=self._host.library.get(asked.workflow, tenant=caller.tenant),
            inputs=asked.inputs,
            owner=caller.owner,
            choice=self._host.choice,
            key=f"key {asked.key}" if asked.key else "",
            scope="mcp",
        )
        begun = await self._host.begin(turn)
        return self._results.handle(self._host.journal.runs.get(begun.run_id))

    async def _status(self, asked: Status, caller: Caller) -> CallToolResult:
        _demand(caller, "runs:read")
        if asked.run_id:
            return self._results.handle(self._own(asked.run_id, caller))
        newest = self._host.journal.runs.list(tenant=caller.tenant, children=False, limit=10 * _LISTED)
        return listing([run for run in newest if not run.ended][:_LISTED])

    async def _result(self, asked: Result, caller: Caller) -> CallToolResult:
        _demand(caller, "runs:read")
        run = self._own(asked.run_id, caller)
        if asked.wait_s and not run.ended:
            await self._wait(run, asked.wait_s)
        return self._results.of(run.id, self._host.replies.ended(run.id), offset=asked.offset)

    async def _answer(self, asked: Decide, caller: Caller) -> CallToolResult:
        _demand(caller, "gates:decide")
        root = root_of(self._host.journal, self._own(asked.run_id, caller).id)
        gates = open_gates(self._host.journal, root)
        gate = next((one for one in gates if one.id == asked.gate), gates[0] if len(gates) == 1 else None)
        if asked.gate and (gate is None or gate.id != asked.gate):
            # It is decided already, or none of this run: who answers it again is told what holds.
            gate = self._host.journal.gates.get(asked.gate, tenant=caller.tenant)
            if root_of(self._host.journal, self._own(gate.run_id, caller).id) != root:
                raise NotFoundError(f"there is no gate {asked.gate!r} in this run", fix="weft_status lists them")
        if gate is None:
            ids = ", ".join(one.id for one in gates)
            raise InputError(
                f"several gates are open: {ids}" if gates else "this run asks nothing",
                fix="say which one with `gate`" if gates else "weft_status says where it stands",
            )
        said = {name: value for name, value in asked.model_dump().items() if name in {"choice", "response", "values"}}
        said = {name: value for name, value in said.items() if value is not None} | {"why": asked.why}
        await self._host.decide(gate.run_id, gate.id, answer_of(gate.request, said, by=caller.principal))
        return self._results.handle(self._host.journal.runs.get(root))

    async def _cancel(self, asked: Cancel, caller: Caller) -> CallToolResult:
        _demand(caller, "runs:write")
        run = self._own(asked.run_id, caller)
        await self._host.cancel(run.id, reason=asked.reason, principal=caller.principal)
        return self._results.handle(self._host.journal.runs.get(run.id))

    async def _wait(self, run: Run, seconds: float) -> None:
        """Until the run has ended or asks something, for so many seconds at most."""
        place = here(self._host.journal, run.id, self._host.clock.micros())
        if run.status == "waiting" and open_gates(self._host.journal, run.id):
            return
        try:
            async with asyncio.timeout(seconds), aclosing(self._host.replies.follow(run.id, place)) as items:
                async for item in items:
                    if isinstance(item, Ended | Waits):
                        return
        except TimeoutError:
            return

    def _own(self, run_id: str, caller: Caller) -> Run:
        return self._host.journal.runs.get(run_id, tenant=caller.tenant)


def _demand(caller: Caller, right: str) -> None:
    caller.demand(right, "/mcp")


def _read(kind: type[BaseModel], arguments: Mapping[str, Any]) -> BaseModel:
    try:
        return kind.model_validate(arguments)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"the arguments do not fit: {where}: {first['msg']}", fix="the input schema of the tool says what it takes"
        ) from error

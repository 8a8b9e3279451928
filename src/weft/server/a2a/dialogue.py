"""What a message does: it begins a task, answers the gate that one waits at, or decides one by the extension."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from a2a.types import a2a_pb2
from a2a.utils.errors import InvalidParamsError, UnsupportedOperationError

from weft.app.auditing.acts import gate_decide
from weft.app.hosting import Host
from weft.app.serving.automatic import planning_inputs
from weft.app.serving.inputs import Message
from weft.app.serving.library import Published
from weft.app.serving.places import BEGINNING, Place, here
from weft.app.serving.turns import Begun, Made, Turn
from weft.core.errors import (
    AuthError,
    BudgetError,
    ConflictError,
    InputError,
    NotFoundError,
    PolicyError,
    RejectedError,
)
from weft.core.ids import uuid7
from weft.engine.questions import Answer
from weft.server.a2a import extension, messages
from weft.server.a2a.lives import begins
from weft.server.a2a.profile import PLAIN, Profile
from weft.server.a2a.targets import Targets
from weft.server.a2a.tasks import Tasks
from weft.server.caller import Caller
from weft.store.gates import Gate

_REFUSALS = (AuthError, BudgetError, PolicyError, RejectedError)
"""What keeps a run from beginning that is no mistake of the request."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What has become of a message: the run that it concerns, and where its updates begin; or the task that was refused."""

    run_id: str = ""
    place: Place = BEGINNING
    gates: Mapping[str, Gate] = field(default_factory=dict)
    refused: a2a_pb2.Task | None = None
    as_message: bool = False
    """The agent answers with a message and makes no task of it."""
    moved: bool = True
    """Whether the task goes on with it; one that does not waits where it waited before."""


class Dialogue:
    """Takes messages."""

    def __init__(self, host: Host, targets: Targets, tasks: Tasks, profile: Profile = PLAIN) -> None:
        self._host = host
        self._targets = targets
        self._tasks = tasks
        self._profile = profile

    async def take(self, message: a2a_pb2.Message, caller: Caller, routed: str) -> Taken:
        """Do what `message` asks for.

        Raises:
            A2AError: it does not fit, or its task takes no message.
            WeftError: it cannot be done.
        """
        messages.check(message, any_mode=self._profile.any_mode)
        if message.task_id:
            return await self._go_on(message, caller, routed)
        return await self._begin(message, caller, routed)

    async def _begin(self, message: a2a_pb2.Message, caller: Caller, routed: str) -> Taken:
        try:
            target = self._profile.target(message.message_id) or self._target(message, routed, caller)
            begun = await self._start(self._turn(target, message, caller))
        except _REFUSALS as error:
            return Taken(refused=await self._tasks.refuse(uuid7(), message, caller, error))
        run = self._host.journal.runs.get(begun.run_id)
        await self._tasks.keep(run, message, caller)
        place = Place(begins(self._host.journal, run))
        return Taken(run.id, place, gates={}, as_message=_answers_with_a_message(target))

    def _target(self, message: a2a_pb2.Message, routed: str, caller: Caller) -> Published | Made:
        """What a message is for: what it is routed to, or what answers for the whole service; else who is needed is found out."""
        served = self._targets.all(tenant=caller.tenant)
        if routed or len(served) < 2 or self._targets.main(tenant=caller.tenant) is not None:
            return self._targets.get(routed, tenant=caller.tenant)
        said = messages.heard(message, {}).text
        spoken = (Message("user", said),) if said else ()
        return self._host.automatic.route("auto", spoken, tenant=caller.tenant).target

    def _turn(self, target: Published | Made, message: a2a_pb2.Message, caller: Caller) -> Turn:
        made = isinstance(target, Made)
        said = messages.heard(message, {} if isinstance(target, Made) else target.workflow.inputs.declared())
        spoken = (Message("user", said.text),) if said.text else ()
        return Turn(
            target=target,
            messages=spoken,
            inputs=planning_inputs(spoken) if made else dict(said.values),
            session=message.context_id,
            owner=caller.owner,
            choice=self._host.choice,
            key="" if self._profile.ids_repeat else message.message_id,
            scope=f"a2a:{target.name}",
        )

    async def _start(self, turn: Turn) -> Begun:
        """Begin the turn in its context, which is a session; tasks of one context may also run beside each other.

        One that begins while another is open knows of nothing that was said there before.
        """
        if not turn.session:
            return await self._host.begin(turn)
        try:
            return await self._host.converse(turn, after=self._latest(turn))
        except NotFoundError as error:
            raise InvalidParamsError(message="this context cannot be used; leave it out to begin one") from error
        except ConflictError as error:
            if "session" not in error.ids:
                raise
            return await self._host.begin(turn)

    def _latest(self, turn: Turn) -> str:
        """After which turn a context goes on that was made by a task, and is no session yet."""
        sessions, tenant = self._host.journal.sessions, turn.owner.tenant
        try:
            sessions.get(turn.session, tenant=tenant)
        except NotFoundError:
            for run_id, status, _ in reversed(sessions.turns(turn.session, tenant=tenant)):
                if status == "completed" and self._host.journal.runs.get(run_id).principal == turn.owner.principal:
                    return str(run_id)
        return ""

    async def _go_on(self, message: a2a_pb2.Message, caller: Caller, routed: str) -> Taken:
        if self._tasks.refused(message.task_id, caller) is not None:
            raise UnsupportedOperationError(message="the task was rejected, and takes no messages")
        run = self._tasks.own(message.task_id, caller, routed)
        if message.context_id and message.context_id != (run.session or run.id):
            raise InvalidParamsError(message="the context of the message is not that of its task")
        known = {one.message for one in self._host.journal.tasks.said_to(run.id, tenant=caller.tenant)}
        gates, place = self._tasks.gates(run), here(self._host.journal, run.id, self._host.clock.micros())
        if message.message_id in known and not self._profile.ids_repeat:
            return Taken(run.id, place, gates={gate.id: gate for gate in gates}, moved=not gates)
        if run.ended:
            raise UnsupportedOperationError(message=f"the task has ended ({run.status}), and takes no messages")
        decision = extension.decision_in(message)
        if decision is not None:
            answered: Gate | None = await self._decide(decision, gates, caller)
        else:
            answered = await self._answer(message, gates, caller)
        await self._tasks.keep(run, message, caller)
        left = {gate.id: gate for gate in gates if answered is None or gate.id != answered.id}
        return Taken(run.id, place, gates=left, moved=answered is not None)

    async def _decide(self, decision: Mapping[str, Any], gates: list[Gate], caller: Caller) -> Gate:
        gate = next((one for one in gates if one.id == decision["gate"]), None)
        if gate is None:
            raise InvalidParamsError(message="the task does not wait at this gate")
        if not isinstance(decision.get("shown"), str):
            raise InvalidParamsError(message="a decision names the hash of what was shown (`shown`)")
        if extension.is_decision(gate.request) and not caller.may(extension.RIGHT):
            trail = self._host.trail
            await trail.note(trail.of(caller.owner, gate_decide(gate.run_id, gate.id), outcome="denied"))
            raise PolicyError("deciding needs the right gates:decide", fix="ask somebody who has it")
        await self._host.decide(gate.run_id, gate.id, extension.answer_of(decision, caller.principal))
        return gate

    async def _answer(self, message: a2a_pb2.Message, gates: list[Gate], caller: Caller) -> Gate | None:
        """Answer the form gate that waits longest. Words decide nothing: at a decision gate they are only kept."""
        if not gates:
            raise UnsupportedOperationError(
                message="the task waits for no message", data={"fix": "send it when the task asks for input"}
            )
        gate = next((one for one in gates if not extension.is_decision(one.request)), None)
        if gate is not None:
            await self._host.decide(gate.run_id, gate.id, _filled(gate, message, caller))
        return gate


def _answers_with_a_message(target: Published | Made) -> bool:
    if isinstance(target, Made):
        return False
    labels = target.workflow.metadata.labels if target.workflow.metadata else {}
    return labels.get("a2a/reply") == "message"


def _filled(gate: Gate, message: a2a_pb2.Message, caller: Caller) -> Answer:
    """The answer that a message is to a form gate.

    Raises:
        InputError: its form has several fields, and the message names none.
    """
    form: Mapping[str, Any] | None = gate.request.get("form")
    properties = (form or {}).get("properties") or {}
    said = messages.heard(message, properties)
    values = dict(said.values)
    if form is None:
        return Answer(by=caller.principal, response=said.text or json.dumps(values))
    if not values and len(properties) == 1:
        values = {next(iter(properties)): said.text}
    if not values:
        raise InputError(f"the task asks for {', '.join(properties)}", fix="send them as a data part")
    return Answer(by=caller.principal, response=said.text or json.dumps(values), values=values)

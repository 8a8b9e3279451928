"""Everything that it takes to drive runs in this process, wired together."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from weft.agents.builder import AgentBuilder, model_ref
from weft.agents.direct import ToolPerformer
from weft.agents.performer import AgentPerformer
from weft.agents.planning.performer import PlannerPerformer
from weft.agents.relay import ModelPerformer
from weft.agents.remote import RemoteAgents
from weft.agents.swarm.performer import SwarmPerformer
from weft.app.addresses import check_model_addresses
from weft.app.alone import offered
from weft.app.artifacts import ArtifactPerformer, room_for
from weft.app.auditing.access import Access
from weft.app.auditing.acts import Act, gate_decide, run_cancel, run_start
from weft.app.auditing.trail import Trail
from weft.app.documents import Kept, Prepared, check_text, prepare
from weft.app.egress import egress_policy
from weft.app.far_tasks import FarTask, waiting
from weft.app.listening import BusListener, TelemetryListener
from weft.app.pace import Pace
from weft.app.programs import PythonWorkflows
from weft.app.real_paths import RealPaths
from weft.app.secret_needs import declared_secrets, lacking
from weft.app.secret_sources import secret_cache
from weft.app.servers import Servers
from weft.app.service import RunRequest
from weft.app.serving.copies import working_folder
from weft.app.toolbox import tools_of
from weft.app.tracing import credentials, new_redactor, trace_of
from weft.bus.local import LocalBus
from weft.core.clock import SystemClock, iso
from weft.core.errors import ConflictError, PolicyError, WeftError
from weft.core.ids import uuid7
from weft.core.owner import Owner
from weft.core.settings import Settings
from weft.engine.answering import Decided
from weft.engine.clock import ClockPerformer
from weft.engine.local import Engine, RunResult
from weft.engine.port import Performer, StepContext
from weft.engine.questions import Answer
from weft.models.registry import ModelPool, check_credentials
from weft.net.client import HttpClient
from weft.net.egress import check_url
from weft.plan.codec import plan_hash
from weft.plan.nodes import Plan
from weft.python.programs import FunctionPerformer, RandomPerformer
from weft.secrets.resolve import SecretRef, Secrets
from weft.store.journal import Journal
from weft.store.planned import DRAFTS, PlannedDrafts
from weft.tools.builtin.tavily import KEY as TAVILY_KEY
from weft.tools.port import Tool, ToolContext, ToolOptions

_LOG = logging.getLogger("weft.app")
_PLANS = 128
_CALL_OFF_S = 5.0
"""So long whoever cancels a run waits for remote agents to hear of it."""


class Driving:
    """An engine with its performers, and the bus on which it tells what happens."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        programs: PythonWorkflows,
        *,
        streaming: bool = False,
        audits: bool = True,
        masked: Iterable[str] = (),
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._programs = programs
        self._clock = SystemClock()
        self._redactor, self._policy = new_redactor(), egress_policy(settings)
        self._masked = tuple(filter(self._redactor.register, masked))
        self._http = HttpClient(self._policy)
        self._secrets = secret_cache(settings, self._clock, self._redactor.register)
        self._models, self._kept = ModelPool(policy=self._policy), Kept(programs)
        self._pace, self._real = Pace(), RealPaths()
        self._defined: dict[str, Mapping[str, Any]] = {}
        self._begun: dict[str, Mapping[str, Any]] = {}
        """What is defined in the plans of runs that are about to be driven."""
        self._tools: dict[int, tuple[Plan, dict[str, Tool]]] = {}
        self._servers = Servers(settings, self._policy, self._redactor.register, self._tools_of, self._tool_context)
        self._audits = audits
        self._trail = Trail(journal, self._clock, settings.home)
        self._access = Access(journal, self._trail, self._redactor.known.json)
        self.bus = LocalBus()
        self._remote = RemoteAgents(self._policy, self._tool_context)
        self._telemetry = TelemetryListener(
            settings.telemetry, self._redactor, lambda run_id: journal.runs.get(run_id).parent, journal.events
        )
        builder = AgentBuilder(self._models.open, self._tool_context)
        performers: dict[str, Performer] = {
            "agent": AgentPerformer(
                builder, self._tools_of, servers=self._servers.tools, streaming=streaming, remote=self._remote
            ),
            "model": ModelPerformer(builder),
            "tool": ToolPerformer(self._tools_of, self._tool_context, servers=self._servers.tools),
            "artifact": ArtifactPerformer(self._trace_of),
            "clock": ClockPerformer(),
            "swarm": SwarmPerformer(),
            "function": FunctionPerformer(),
            "random": RandomPerformer(),
            "planner": PlannerPerformer(journal, PlannedDrafts(settings.home / DRAFTS, journal.box)),
        }
        self.engine = Engine(
            journal,
            performers,
            clock=self._clock,
            concurrency=settings.limits.calls,
            listeners=(BusListener(self.bus, self._clock), self._telemetry, self._access),
            mask=self._access.masked,
            near_s=settings.limits.timer_s,
            programs=programs,
        )
        if settings.tools.allowed_modules and str(Path.cwd()) not in sys.path:
            # At the end, so that a file of the project can stand in for no module of the library.
            sys.path.append(str(Path.cwd()))

    async def start(self, request: RunRequest) -> str:
        """Create the run that `request` asks for."""
        at = self._clock.micros()
        auto = request.automatic
        run_id = auto.run_id if auto else request.run_id or uuid7()
        prepared = self._prepared(request, run_id, at)
        act = run_start(run_id, request.file.name, auto.automation if auto else "")
        try:
            self._check(prepared.plan, request.choice.base_url)
            if request.plan is None:  # one that is made here takes of several files what it will need
                self._demand_secrets(prepared.plan, request.file)
        except PolicyError as error:
            await self._trail.note(self._trail.of(request.owner, act, outcome="denied", reason=error.message[:200]))
            raise
        # What cannot be had is said before the run begins.
        room_for(prepared.plan, request.out)
        await self._warm(prepared.plan.definitions)
        if auto and auto.plan_hash and plan_hash(prepared.plan) != auto.plan_hash:
            raise ConflictError(
                f"{request.file} has changed since {auto.automation!r} was added",
                fix="remove the automation and add it again, or add it without --pin",
            )
        # Nobody reads the same words again and again, and not every workflow wants to know what started it.
        for warning in () if auto else prepared.warnings:
            _LOG.warning("%s: %s", warning.message, warning.fix)
        options = self._options(request)
        await self.engine.start(
            prepared.plan,
            prepared.scope,
            inputs=prepared.inputs,
            options=options,
            queued=request.queued,
            birth=run_id,
            owner=Owner(request.owner.tenant, request.owner.principal, request.session),
            also=(self._trail.born(request.owner, act),),
        )
        if not request.queued:
            if len(self._begun) >= _PLANS:
                self._begun.clear()
            self._begun[run_id] = prepared.plan.definitions
        return run_id

    def _prepared(self, request: RunRequest, run_id: str, at: int) -> Prepared:
        given = dict(request.variables)
        if request.plan is not None:
            return Prepared(plan=request.plan, scope=given, inputs=given, warnings=())
        prepared = prepare(
            request.file,
            given,
            request.choice,
            session=request.session or run_id,
            at=iso(at),
            agent=request.agent,
            kept=self._kept,
        )
        return (
            replace(prepared, plan=offered(prepared.plan, request.tools, agent=request.agent))
            if request.tools
            else prepared
        )

    async def drive(self, run_id: str, *, reopen: bool = False) -> RunResult:
        """Make a run go until it ends or waits; see `Engine.drive`."""
        await self._pace.turn()
        definitions = self._begun.pop(run_id, None)
        if definitions is None:
            definitions = self._definitions(self._journal.runs.get(run_id).plan_hash)
        await self._warm(definitions)
        self._telemetry.watch(run_id, definitions)
        try:
            return await self.engine.drive(run_id, reopen=reopen)
        finally:
            await self._servers.leave(run_id)
            self._telemetry.leave(run_id)

    async def cancel(self, run_id: str, *, reason: str = "") -> bool:
        """Cancel a run; see `Engine.cancel`. Remote agents that wait for an answer to its questions are told to stop."""
        asked = waiting(self._journal, run_id, self._definitions)
        done = await self.engine.cancel(run_id, reason=reason)
        if done and asked:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CALL_OFF_S):
                    await asyncio.gather(*(self._call_off(one) for one in asked))
        return done

    async def give_way(self, run_id: str, automation: str, by: Owner) -> bool:
        """Cancel a run, for the next one of its automation is due. It is an entry of the audit log, as the beginning of that one is."""
        told = partial(run_cancel, run_id, f"the next run of {automation} is due", automation=automation)
        return await self._trail.act(by, told(), self.cancel(run_id, reason=told().data["reason"]), told=told)

    async def _call_off(self, one: FarTask) -> None:
        around = self._around(one.definitions, {}, f"cancel:{one.task}", (one.run_id, ""))
        try:
            await self._remote.call_off(one.task, one.agent, around)
        except WeftError as error:
            _LOG.warning("the task %s of a remote agent stays open: %s", one.task, error.message)

    def _definitions(self, hash_: str) -> Mapping[str, Any]:
        """What is defined in the stored plan of this hash; of the latest plans, it is kept."""
        known = self._defined.get(hash_)
        if known is None:
            if len(self._defined) >= _PLANS:
                self._defined.clear()
            known = self._defined[hash_] = self._journal.plans.get(hash_).get("definitions") or {}
        return known

    async def decide(self, run_id: str, gate: str | None, answer: Answer) -> Decided:
        """Answer a gate; see `Engine.decide`. It is an entry of the audit log."""
        deciding = self.engine.decide(run_id, gate, answer)
        if not self._audits:
            return await deciding

        def told(made: Decided) -> Act:
            return gate_decide(run_id, made.gate.id)

        by = Owner(self._access.owner(run_id).tenant, answer.by)
        return await self._trail.act(by, gate_decide(run_id, gate or ""), deciding, told=told)

    async def _warm(self, definitions: Mapping[str, Any]) -> None:
        """Read the secrets that a run will need; from then on they are masked."""
        refs = [ref for ref in declared_secrets(definitions).values() if ref.source != "env"]
        if refs:
            await asyncio.to_thread(self._secrets.warm, refs)

    def _options(self, request: RunRequest) -> dict[str, Any]:
        file = self._real.of(request.file)
        workdir = request.workdir or self._settings.tools.workdir
        return {
            "file": file,
            "out": self._real.of(request.out),
            "force": request.force,
            "workdir": self._real.of(workdir) if workdir else str(working_folder(self._settings.home, Path(file))),
            **({"about": dict(request.about)} if request.about else {}),
            **({"turn": dict(request.turn)} if request.turn else {}),
            **({"automation": auto.automation, "trigger_depth": auto.depth} if (auto := request.automatic) else {}),
        }

    async def close(self) -> None:
        """Let go of connections and send what telemetry has left."""
        await self.engine.close()
        await self._trail.finish()
        await self._servers.close()
        await self._remote.aclose()
        await self._models.aclose()
        await self._http.aclose()
        self.bus.close()
        self._telemetry.close()

    def _check(self, plan: Plan, base_url: str | None) -> None:
        """Find out before the run begins what would keep it from its end: what is denied, and credentials that lack."""
        self._tools_of(plan)
        self._servers.check(plan)
        check_model_addresses(plan.definitions, self._policy, chosen=base_url, environ=os.environ)
        for definition in (plan.definitions.get("agents") or {}).values():
            if "a2a" in definition:
                check_url(definition["a2a"], self._policy)
            else:
                check_credentials(model_ref(definition), os.environ)

    def _demand_secrets(self, plan: Plan, file: Path) -> None:
        """Refuse a run for which a variable of the environment is not set that it may need."""
        for error in lacking(plan, file, os.environ):
            if file.is_relative_to(self._settings.home):
                # Nobody else has to know where a service keeps its copies.
                error.place = replace(error.place, file=file.name)
            raise error

    def _tools_of(self, plan: Plan) -> Mapping[str, Tool]:
        """The tools of `plan`, made once. Its secrets are known from here on, whether or not a tool ever asks for one."""
        known = self._tools.get(id(plan))
        if known is None or known[0] is not plan:
            for ref in declared_secrets(plan.definitions).values():
                self._redactor.register(os.environ.get(ref.key, "") if ref.source == "env" else "")
            tools = tools_of(plan, self._settings, self._policy, self._programs)
            if len(self._tools) >= _PLANS:
                self._tools.clear()
            known = self._tools[id(plan)] = (plan, tools)
        return known[1]

    def _tool_context(self, context: StepContext) -> ToolContext:
        around = self._around(context.plan.definitions, context.options, context.key, (context.run_id, context.path))
        return replace(around, note=context.note, emit=context.emit)

    def _around(
        self, definitions: Mapping[str, Any], options: Mapping[str, Any], key: str, step: tuple[str, str]
    ) -> ToolContext:
        """What a call under `key` may use, by what a plan defines and the options of its run; `step` is the run and the path."""
        # A plan that was made of several files says for each of them where it belongs.
        workdir = Path(str(definitions.get("workdir") or options.get("workdir") or "."))
        may = self._settings.tools
        return ToolContext(
            key=key,
            workdir=workdir,
            clock=self._clock,
            http=self._access.http(self._http, *step),
            secrets=Secrets(
                [SecretRef(name=TAVILY_KEY, key=TAVILY_KEY, ours=True), *declared_secrets(definitions).values()],
                on_resolve=self._redactor.register,
                on_read=self._access.reading(*step),
                on_mask=partial(self._access.redaction, *step),
                also_masked=(*credentials(), *self._masked),
                values=self._secrets,
            ),
            options=ToolOptions(
                duckduckgo_url=may.duckduckgo_url,
                tavily_url=may.tavily_url,
                check_workflow=partial(check_text, folder=workdir),
            ),
        )

    def _trace_of(self, plan: Plan, events: list[Any]) -> Mapping[str, Any]:
        return trace_of(plan.definitions, events, redactor=self._redactor)

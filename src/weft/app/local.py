"""The service answered by this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.app.parts import load
from weft.app.service import AS_WRITTEN, Checked, ModelChoice, NewFork, RunRequest, Settled

if TYPE_CHECKING:  # types only, see `weft.app.parts`
    from weft.app.automation.desk import Desk, NewAutomation
    from weft.app.automation.worker import Report, Worker
    from weft.app.automation.written import Manner, Synced
    from weft.app.doctor import Finding
    from weft.app.driving import Driving
    from weft.app.programs import PythonWorkflows
    from weft.app.reasoning import Iteration
    from weft.app.travel import Travel
    from weft.bus.envelope import Envelope
    from weft.bus.local import LocalBus
    from weft.core.event import Event
    from weft.core.settings import SettingRow, Settings
    from weft.engine.answering import Decided, NewSignal
    from weft.engine.diff import Line
    from weft.engine.local import RunResult
    from weft.engine.questions import Answer
    from weft.engine.replayed import Replayed
    from weft.engine.why import WakeSource
    from weft.plan.nodes import Plan
    from weft.store.automations import Automation, Firing
    from weft.store.gates import Gate
    from weft.store.history import Verdict
    from weft.store.journal import Journal
    from weft.store.planned import Kept, PlannedDrafts
    from weft.store.runs import Run
    from weft.tools.mcp.desk import McpDesk
    from weft.tools.mcp.findings import Change, Tried

_FOLLOW_S = 0.1


class LocalService:
    """Implements `weft.app.service.Service` over the journal in ``WEFT_HOME``.

    `durability` goes over the setting of that name. With `streaming`, answers are shown while they come in. Without `audits`,
    whoever calls notes decisions in the audit log: the one who knows who decides.
    """

    here = True

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        durability: str | None = None,
        streaming: bool = False,
        audits: bool = True,
    ) -> None:
        self._given = settings
        self._durability = durability
        self._streaming = streaming
        self._audits = audits
        self._opened: Journal | None = None
        self._masked: list[str] = []
        self._drives: Driving | None = None

    @property
    def journal(self) -> Journal:
        """The journal, opened when it is first asked for."""
        return self._journal

    @property
    def bus(self) -> LocalBus:
        """Where it is told what happens to the runs that this process drives."""
        return self._driving.bus

    def check(self, file: Path, choice: ModelChoice = AS_WRITTEN) -> Checked:
        """See `Service.check`."""
        checked: Checked = load("documents").check(file, choice, self._programs_for(file))
        return checked

    def plan(self, file: Path, choice: ModelChoice = AS_WRITTEN) -> Plan:
        """See `Service.plan`."""
        plan: Plan = load("documents").plan(file, choice, self._programs_for(file))
        return plan

    def preview(self, file: Path, request: str, choice: ModelChoice = AS_WRITTEN) -> Mapping[str, Any]:
        """See `Service.preview`."""
        found: Mapping[str, Any] = load("planning").preview(self.plan(file, choice), request)
        return found

    def kept_plans(self) -> list[Kept]:
        """See `Service.kept_plans`."""
        return self._drafts.all()

    def forget_plans(self, key: str | None = None, *, expired: bool = False) -> list[str]:
        """See `Service.forget_plans`."""
        at = load("clock").SystemClock().micros() if expired else None
        return self._drafts.remove(key, expired_at=at)

    def missing_inputs(self, file: Path, variables: Mapping[str, Any]) -> Mapping[str, str]:
        """See `Service.missing_inputs`."""
        missing: Mapping[str, str] = load("documents").missing_inputs(file, variables, self._programs_for(file))
        return missing

    async def start(self, request: RunRequest) -> str:
        """See `Service.start`."""
        return await self._driving.start(request)

    def fresh(self, run_id: str) -> Run | None:
        """See `Engine.fresh`."""
        return self._driving.engine.fresh(run_id)

    async def drive(self, run_id: str, *, reopen: bool = False) -> RunResult:
        """See `Service.drive`."""
        return await self._driving.drive(run_id, reopen=reopen)

    async def resume(self, run_id: str, *, reopen: bool, settle: Mapping[str, Settled]) -> None:  # noqa: ARG002 -- a port
        """See `Service.resume`."""
        for path, word in settle.items():
            await self._driving.engine.settle(run_id, path, did=word == "yes")

    def gates(self, *, limit: int = 100) -> list[Gate]:
        """See `Service.gates`."""
        return self._journal.gates.open(limit=limit)

    def gates_of(self, run_id: str) -> list[Gate]:
        """See `Service.gates_of`."""
        return self._journal.gates.of(run_id)

    def gate(self, run_id: str, text: str | None = None) -> Gate:
        """See `Service.gate`."""
        found: Gate = load("answering").Answering(self._journal, load("clock").SystemClock()).find(run_id, text)
        return found

    async def decide(self, run_id: str, gate: str | None, answer: Answer) -> Decided:
        """See `Service.decide`."""
        return await self._driving.decide(run_id, gate, answer)

    async def signal(self, run_id: str, signal: NewSignal) -> bool:
        """See `Service.signal`."""
        return await self._driving.engine.signal(run_id, signal)

    async def cancel(self, run_id: str, *, reason: str = "") -> bool:
        """See `Service.cancel`."""
        return await self._driving.cancel(run_id, reason=reason)

    def find(self, text: str) -> Run:
        """See `Service.find`."""
        return self._journal.runs.find(text)

    def runs(
        self,
        *,
        status: str | None = None,
        workflow: str | None = None,
        limit: int = 50,
        before: Run | None = None,
        children: bool = True,
    ) -> list[Run]:
        """See `Service.runs`."""
        cursor = None if before is None else (before.created_at, before.id)
        return self._journal.runs.list(status=status, workflow=workflow, limit=limit, before=cursor, children=children)

    def current(self) -> frozenset[str]:
        """See `Service.current`."""
        return self._journal.forks.promoted()

    async def fork(
        self,
        run_id: str,
        *,
        at: str | None = None,
        before: str | None = None,
        changes: Mapping[str, str],
        new: NewFork | None = None,
    ) -> str:
        """See `Service.fork`."""
        return await self._travel.fork(run_id, at=at, before=before, changes=changes, new=new)

    def diff(self, first: str, second: str) -> list[Line]:
        """See `Service.diff`."""
        return self._travel.diff(first, second)

    async def replay(self, run_id: str) -> Replayed:
        """See `Service.replay`."""
        return await self._travel.replay(run_id)

    async def promote(self, run_id: str) -> None:
        """See `Service.promote`."""
        await self._travel.promote(run_id)

    async def discard(self, run_id: str) -> list[str]:
        """See `Service.discard`."""
        return await self._travel.discard(run_id)

    def due(self, at: int, *, limit: int = 100) -> list[Run]:
        """See `Service.due`."""
        return self._journal.runs.due(at, limit=limit)

    def events(self, run_id: str, *, after: int = 0) -> list[Event]:
        """See `Service.events`."""
        return self._journal.events(run_id, after=after)

    async def follow(self, run_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        """See `Service.follow`."""
        while True:
            # Asked before reading, so that what is written in between is read the next time.
            run = self._journal.runs.get(run_id)
            for event in self._journal.events(run_id, after=after):
                after = event.seq
                yield event
            if run.ended or run.status in {"waiting", "stalled"}:
                return
            await load("clock").SystemClock().sleep(_FOLLOW_S)

    def live(self, run_id: str) -> AsyncIterator[Envelope]:
        """See `Service.live`."""
        return self._driving.bus.subscribe(f"run/{run_id}")

    def why(self, run_id: str) -> list[WakeSource]:
        """See `Service.why`."""
        state = load("fold").fold(self._journal.events(run_id))
        sources: list[WakeSource] = load("why").wake_sources(self._journal.runs.get(run_id), state)
        return sources

    def verify(self, run_id: str) -> Verdict:
        """See `Service.verify`."""
        found: Verdict = load("proof").proof(self._journal, run_id)
        return found

    def plan_of(self, run_id: str) -> Plan:
        """See `Service.plan_of`."""
        plan: Plan = load("shelf").Shelf(self._journal).load(self._journal.runs.get(run_id).plan_hash)
        return plan

    def trace(self, run_id: str) -> Mapping[str, Any]:
        """See `Service.trace`."""
        run = self._journal.runs.get(run_id)
        definitions = self._journal.plans.get(run.plan_hash).get("definitions") or {}
        trace: Mapping[str, Any] = load("trace").trace_of(definitions, self._journal.events(run_id))
        return trace

    def reasoning(self, run_id: str) -> list[Iteration]:
        """See `Service.reasoning`."""
        run = self._journal.runs.get(run_id)
        definitions = self._journal.plans.get(run.plan_hash).get("definitions") or {}
        tracing = load("trace")
        found: list[Iteration] = load("reasoning").reasoning(
            self._journal.events(run_id), tracing.content_of(definitions), tracing.new_redactor()
        )
        return found

    async def fetch(self, run_id: str, files: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """See `Service.fetch`: they are here already."""
        del run_id
        return list(files)

    async def delete(self, run_id: str) -> list[str]:
        """See `Service.delete`."""
        planning = load("planning")
        read = self._drafts.all()
        made: frozenset[tuple[str, str]] = await planning.read_requests(self._journal, run_id) if read else frozenset()
        gone: list[str] = await self._journal.writer.submit(load("removal").removal(run_id))
        await planning.forget(self._drafts, made)
        return gone

    def own_tools(self, file: Path) -> list[dict[str, Any]]:
        """See `Service.own_tools`."""
        tools: list[dict[str, Any]] = load("tools").own_tools(
            self.plan(file, AS_WRITTEN), self._settings, self._programs
        )
        return tools

    async def try_servers(self, file: Path) -> list[Tried]:
        """See `Service.try_servers`."""
        return await self._mcp(file).test()

    async def login(self, file: Path, server: str, show: Callable[[str], Awaitable[None]]) -> Tried:
        """See `Service.login`."""
        return await self._mcp(file).login(server, show)

    def tool_changes(self, file: Path) -> list[Change]:
        """See `Service.tool_changes`."""
        return self._mcp(file).changes()

    def accept_tools(self, file: Path, server: str, tools: Sequence[str]) -> list[str]:
        """See `Service.accept_tools`."""
        return self._mcp(file).accept(server, list(tools))

    def automations(self, *kinds: str) -> list[Automation]:
        """See `Service.automations`."""
        return self._journal.automations.of_kind(*kinds)

    def automation(self, name: str) -> tuple[Automation, list[Firing]]:
        """See `Service.automation`."""
        kept = self._journal.automations
        return kept.get(name), kept.firings(name)

    async def add_automation(self, new: NewAutomation) -> Automation:
        """See `Service.add_automation`."""
        return await self._desk.add(new)

    async def sync_automations(self, path: Path, how: Manner | None = None) -> Synced:
        """See `Service.sync_automations`."""
        synced: Synced = await load("written").sync(self._desk, path, how)
        return synced

    async def pause_automation(self, name: str, *, paused: bool) -> Automation:
        """See `Service.pause_automation`."""
        return await self._desk.pause(name, paused=paused)

    async def remove_automation(self, name: str) -> None:
        """See `Service.remove_automation`."""
        await self._desk.remove(name)

    def upcoming(self, name: str, count: int) -> list[int]:
        """See `Service.upcoming`."""
        return self._desk.upcoming(name, count)

    def worker(self, *, concurrency: int, report: Report) -> Worker:
        """See `Service.worker`."""
        clock = load("clock").SystemClock()
        beside = load("audit-shipping").beside(self._journal, self._settings.audit, clock)
        made: Worker = load("worker").Worker(
            self._journal, self._driving, clock, concurrency=concurrency, report=report, beside=beside
        )
        return made

    def settings(self) -> list[SettingRow]:
        """See `Service.settings`."""
        rows: list[SettingRow] = load("settings").explain(self._settings)
        return rows

    def doctor(self) -> list[Finding]:
        """See `Service.doctor`."""
        findings: list[Finding] = load("doctor").examine()
        return findings

    async def close(self) -> None:
        """See `Service.close`."""
        if self._drives is not None:
            await self._drives.close()
        if self._opened is not None:
            self._opened.close()

    def _mcp(self, file: Path) -> McpDesk:
        plan = self.plan(file, AS_WRITTEN)
        desk: McpDesk = load("servers").load_mcp("mcp-desk").desk(plan, file, self._settings)
        return desk

    @cached_property
    def _programs(self) -> PythonWorkflows:
        programs: PythonWorkflows = load("programs").PythonWorkflows()
        return programs

    def _programs_for(self, file: Path) -> PythonWorkflows | None:
        return self._programs if load("naming").named(file) else None

    @cached_property
    def _settings(self) -> Settings:
        settings: Settings = self._given or load("settings").load_settings()
        return settings

    @property
    def _drafts(self) -> PlannedDrafts:
        planned = load("planned")
        box = self._journal.box if self._settings.encryption.key is not None else None
        drafts: PlannedDrafts = planned.PlannedDrafts(self._settings.home / planned.DRAFTS, box)
        return drafts

    @property
    def _journal(self) -> Journal:
        if self._opened is None:
            self._opened = load("opening").open_journal(
                self._settings, durability=self._durability, on_key=self._masked.append
            )
        assert self._opened is not None
        return self._opened

    @cached_property
    def _travel(self) -> Travel:
        travel: Travel = load("travel").Travel(self._journal, self._programs)
        return travel

    @property
    def _desk(self) -> Desk:
        desk: Desk = load("desk").Desk(self._journal, load("clock").SystemClock())
        return desk

    @property
    def _driving(self) -> Driving:
        if self._drives is None:
            how = {"streaming": self._streaming, "audits": self._audits, "masked": self._masked}
            self._drives = load("driving").Driving(self._settings, self._journal, self._programs, **how)
        assert self._drives is not None
        return self._drives

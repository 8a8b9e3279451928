"""A running service as the commands see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Never

from weft.app.artifacts import write_file
from weft.app.automation.worker import Report, Worker
from weft.app.doctor import Finding
from weft.app.documents import missing_inputs
from weft.app.service import AS_WRITTEN, Checked, ModelChoice, RunRequest, Service
from weft.cli.remote.automations import RemoteAutomations
from weft.cli.remote.lines import Lines
from weft.cli.remote.people import RemoteGates
from weft.cli.remote.runs import RemoteRuns
from weft.cli.terminal import clean, tell
from weft.client import Tls
from weft.core.errors import InputError, Place, Problem, SpecError, WeftError
from weft.core.settings import SettingRow
from weft.plan.nodes import Plan
from weft.spec.files import read_text
from weft.store.runs import Run
from weft.tools.mcp.findings import Change, Tried

_SPOT = ("line", "column", "pointer", "path")


class RemoteService(RemoteRuns, RemoteGates, RemoteAutomations):
    """Implements `weft.app.service.Service` over the control API of the service at `url`.

    A FILE that is there is registered there, as a new version unless the newest has the same text, and that version is run. A
    FILE that is not there is the name of a workflow of the service.
    """

    here = False

    def __init__(self, url: str, token: str | None, tls: Mapping[str, Path | None]) -> None:
        lines = Lines(url, token, Tls(**tls))
        RemoteRuns.__init__(self, lines)
        RemoteGates.__init__(self, lines)
        RemoteAutomations.__init__(self, lines, self._registered)
        self._outs: dict[str, tuple[Path, bool]] = {}

    def check(self, file: Path, choice: ModelChoice = AS_WRITTEN) -> Checked:
        """What the service says of the text of a file; of a name, that it is there."""
        del choice
        if not file.exists():
            there = self._client.workflows.show(str(file))
            return Checked(file=file, problems=(), workflow=there.name, plan_hash=there.plan_hash or "")
        found = self._client.workflows.validate(source=read_text(file))
        problems = [
            Problem(
                rule=one.rule,
                severity=one.severity,
                message=one.message,
                fix=one.fix,
                place=Place(file=str(file), **{name: getattr(one, name) for name in _SPOT}),
            )
            for one in found.problems
        ]
        return Checked(file=file, problems=problems, workflow=found.workflow, plan_hash=found.plan_hash or "")

    def missing_inputs(self, file: Path, variables: Mapping[str, Any]) -> Mapping[str, str]:
        """See `Service.missing_inputs`."""
        if file.exists():
            return missing_inputs(file, variables)
        schema = self._client.workflows.show(str(file)).input_schema
        about: Mapping[str, Any] = schema.get("properties") or {}
        return {
            name: str((about.get(name) or {}).get("description") or "")
            for name in schema.get("required") or ()
            if name not in variables
        }

    async def start(self, request: RunRequest) -> str:
        """See `Service.start`. The service drives the run at once."""
        if request.choice != AS_WRITTEN:
            raise InputError(
                "a service says itself which models it uses",
                fix="leave --provider, --model, --base-url and --offline out",
            )
        name, version = self._registered(request.file)
        run = await self._lines.waiting.runs.start(
            workflow=name, inputs=request.variables, session=request.session, version=version
        )
        self._lines.going[run.id] = 0
        self._outs[run.id] = (request.out, request.force)
        return run.id

    async def fetch(self, run_id: str, files: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The files that a run has written, those of a run of this command brought into its folder."""
        if run_id not in self._outs:
            return list(files)
        out, force = self._outs[run_id]
        fetched: list[Mapping[str, Any]] = []
        for file in files:
            target = out.absolute() / str(file["path"])
            content = await self._lines.waiting.runs.download(run_id, str(file["path"]))
            if target.exists() and not force and target.read_bytes() != content:
                tell(f"{clean(str(target))} is there already and stays as it is: --force overwrites it")
                fetched.append(file)
                continue
            write_file(out, target, content)
            fetched.append({**file, "file": str(target)})
        return fetched

    def settings(self) -> list[SettingRow]:
        """The settings of the service."""
        return [
            SettingRow(
                name=one.name,
                value=one.value,
                source=one.source,
                variable=one.variable,
                description=one.description,
            )
            for one in self._client.settings.list(limit=200)
        ]

    def doctor(self) -> list[Finding]:
        """What of the service is fit for work."""
        try:
            live = self._client.health.live()
        except WeftError as error:
            return [Finding(name="service", level="error", text=error.message, fix=error.fix)]
        findings = [Finding(name="service", level="ok", text=f"Weft {live.get('version')} at {self._client.url}")]
        try:
            checks = self._client.health.deep()["checks"]
        except WeftError as error:
            return [*findings, Finding(name="health", level="error", text=error.message, fix=error.fix)]
        broken = checks["library"]["broken"]
        text = f"{checks['library']['served']} workflows and agents are served"
        library = Finding(name="library", level="ok", text=text)
        if broken:
            more = f"{text}; not served: {', '.join(broken)}"
            library = replace(library, level="warning", text=more, fix="`weft validate FILE` says why")
        audit = Finding(name="audit", level="ok", text="every entry is written")
        if (told := checks["audit"])["status"] != "ok":
            audit = Finding(name="audit", level="warning", text=told["message"], fix=told["fix"])
        return [*findings, Finding(name="journal", level="ok", text="it can be written and read"), audit, library]

    async def close(self) -> None:
        """See `Service.close`."""
        await self._lines.close()

    def _registered(self, file: Path) -> tuple[str, int | None]:
        """The name and the version under which the service knows a workflow."""
        if not file.exists():
            return str(file), None
        try:
            made = self._client.workflows.register(source=read_text(file))
        except SpecError as error:
            places = [replace(one.place, file=str(file)) for one in error.problems]
            error.problems = tuple(replace(one, place=place) for one, place in zip(error.problems, places, strict=True))
            raise
        return made.name, made.version

    def plan(self, file: Path, choice: ModelChoice = AS_WRITTEN) -> Plan:
        """Refused: files are looked at where they are."""
        del file, choice
        _only_here("a plan of a file is made")

    def preview(self, file: Path, request: str, choice: ModelChoice = AS_WRITTEN) -> Mapping[str, Any]:
        """Refused: files are looked at where they are."""
        del file, request, choice
        _only_here("a plan of a file is made")

    def due(self, at: int, *, limit: int = 100) -> list[Run]:
        """Refused: a service looks after its own runs."""
        del at, limit
        _only_here("a worker works")

    def worker(self, *, concurrency: int, report: Report) -> Worker:
        """Refused: a service has its own."""
        del concurrency, report
        _only_here("a worker works")

    def own_tools(self, file: Path) -> list[dict[str, Any]]:
        """Refused: files are looked at where they are."""
        del file
        _only_here("tools of a file are looked at")

    async def try_servers(self, file: Path) -> list[Tried]:
        """Refused: servers are started where their workflow is."""
        del file
        _only_here("MCP servers are tried")

    async def login(self, file: Path, server: str, show: Callable[[str], Awaitable[None]]) -> Tried:
        """Refused: what a login gives is kept where it is used."""
        del file, server, show
        _only_here("somebody logs in to MCP servers")

    def tool_changes(self, file: Path) -> list[Change]:
        """Refused: servers are started where their workflow is."""
        del file
        _only_here("MCP servers are looked at")

    def accept_tools(self, file: Path, server: str, tools: Sequence[str]) -> list[str]:
        """Refused: servers are started where their workflow is."""
        del file, server, tools
        _only_here("MCP servers are looked at")


def _only_here(what: str) -> Never:
    raise InputError(f"{what} on the machine that it is for, and not over a service", fix="leave --server out")


_FITS: type[Service] = RemoteService
"""The type checker proves it here, for commands load the class by its name."""

"""The one interface that every command goes through, whoever answers it: this process, or a server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from weft.core.errors import Problem
from weft.core.owner import LOCAL, Owner

if TYPE_CHECKING:  # types only: `weft validate` must not pay for the journal and the engine
    from weft.app.automation.desk import NewAutomation
    from weft.app.automation.worker import Report, Worker
    from weft.app.automation.written import Manner, Synced
    from weft.app.doctor import Finding
    from weft.app.reasoning import Iteration
    from weft.bus.envelope import Envelope
    from weft.core.event import Event
    from weft.core.settings import SettingRow
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
    from weft.store.planned import Kept
    from weft.store.runs import Run
    from weft.tools.mcp.findings import Change, Tried


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """A choice of model that goes over what a workflow says."""

    provider: str | None = None
    model: str | None = None
    base_url: str | None = None
    offline: bool = False


UNSET = "unset-secret"
"""The rule of the warning that a secret is not there; a run that may need it is refused."""
AS_WRITTEN = ModelChoice()
"""No choice: the workflow's own models."""

Settled = Literal["yes", "no"]
"""Whether a step in doubt has happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Automatic:
    """What is known of a run that an automation starts: its id, who starts it, how many have started one another.

    With `plan_hash`, the workflow must still compile into that plan.
    """

    run_id: str
    automation: str
    depth: int = 0
    plan_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What a run is started with. Files that tools may read are those under `workdir`, the workflow's folder by default.

    With `agent`, only that agent of the file is run: on the input `message`, and `messages`, what was said before.
    `run_id` is the id that the run is to have, a new one by default; `turn` what it is in a conversation: what was ``asked``, and
    the run that it comes ``after``. A `plan` is run as it stands, with `variables` as its scope; `file` then only says where it belongs.
    What is said `about` it can be read again in the run's options. `tools` (``name``, ``description``, ``parameters``) are the client's
    own, for the one agent that is run.
    """

    file: Path
    variables: Mapping[str, Any] = field(default_factory=dict)
    out: Path = Path("artifacts")
    force: bool = False
    choice: ModelChoice = AS_WRITTEN
    workdir: Path | None = None
    session: str = ""
    queued: bool = False
    automatic: Automatic | None = None
    agent: str = ""
    run_id: str | None = None
    plan: Plan | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    owner: Owner = LOCAL
    turn: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFork:
    """The id that a fork is to have, and the folder of its artifacts."""

    run_id: str
    out: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a look at a workflow file found. `plan_hash` is there when it can be run."""

    file: Path
    problems: Sequence[Problem]
    workflow: str = ""
    plan_hash: str = ""

    @property
    def errors(self) -> list[Problem]:
        """The problems that keep it from running."""
        return [problem for problem in self.problems if problem.severity == "error"]


class Service(Protocol):
    """Everything that the command line asks for. `here` says whether this process drives its runs."""

    @property
    def here(self) -> bool:
        """Whether runs are driven in this process, and by whoever sits at it."""
        ...

    def check(self, file: Path, choice: ModelChoice = AS_WRITTEN) -> Checked:
        """Everything that is wrong with a workflow file, warnings included.

        Raises:
            UnsupportedError: it uses what this version does not run; every such pointer is named.
        """
        ...

    def plan(self, file: Path, choice: ModelChoice = AS_WRITTEN) -> Plan:
        """The plan that a workflow compiles into.

        Raises:
            SpecError: the file has problems (all of them are in it).
        """
        ...

    def preview(self, file: Path, request: str, choice: ModelChoice = AS_WRITTEN) -> Mapping[str, Any]:
        """What the rules of a workflow of the pattern ``plan`` make of a request: drafts, questions, what is missing.

        Raises:
            SpecError: the file has problems.
            InputError: the workflow makes no plans, or the request is empty or too long.
        """
        ...

    def kept_plans(self) -> list[Kept]:
        """The plans that are used again for the same request, the newest first."""
        ...

    def forget_plans(self, key: str | None = None, *, expired: bool = False) -> list[str]:
        """Remove the kept plan whose key begins so, those that have expired, or all; the keys of what is gone.

        Raises:
            InputError: the key is the beginning of several or none.
        """
        ...

    def missing_inputs(self, file: Path, variables: Mapping[str, Any]) -> Mapping[str, str]:
        """Required inputs without a value, with their descriptions."""
        ...

    async def start(self, request: RunRequest) -> str:
        """Create a run, durably, and return its id."""
        ...

    async def drive(self, run_id: str, *, reopen: bool = False) -> RunResult:
        """Make a run go until it ends or waits."""
        ...

    async def resume(self, run_id: str, *, reopen: bool, settle: Mapping[str, Settled]) -> None:
        """Say that a run is to go on, and of its doubtful steps, by path, whether they happened; `drive` makes it go."""
        ...

    def gates(self, *, limit: int = 100) -> list[Gate]:
        """Open gates of all runs, the newest first."""
        ...

    def gates_of(self, run_id: str) -> list[Gate]:
        """All gates of a run, in the order in which they were opened."""
        ...

    def gate(self, run_id: str, text: str | None = None) -> Gate:
        """The gate of a run that `text` means: its id, its beginning, or its path; without one the only open one."""
        ...

    async def decide(self, run_id: str, gate: str | None, answer: Answer) -> Decided:
        """Answer a gate; see `Engine.decide`. Where nobody drives the run, `drive` makes it go on."""
        ...

    async def signal(self, run_id: str, signal: NewSignal) -> bool:
        """Send a signal to a run; False when its key is known already."""
        ...

    async def cancel(self, run_id: str, *, reason: str = "") -> bool:
        """Cancel a run, whoever drives it; False when it had ended."""
        ...

    def find(self, text: str) -> Run:
        """The run that `text` means: an id, the beginning or end of one, or ``last``."""
        ...

    def runs(
        self,
        *,
        status: str | None = None,
        workflow: str | None = None,
        limit: int = 50,
        before: Run | None = None,
        children: bool = True,
    ) -> list[Run]:
        """Runs, newest first; without `children`, only those that no other run has started."""
        ...

    def current(self) -> frozenset[str]:
        """The runs that were made the current ones of their lines."""
        ...

    async def fork(
        self,
        run_id: str,
        *,
        at: str | None = None,
        before: str | None = None,
        changes: Mapping[str, str],
        new: NewFork | None = None,
    ) -> str:
        """Create a run that shares the past of another one, and return its id; nobody drives it yet.

        It forks `at` an event's number or at the end of a step, or just `before` a step began, else where the run stands.
        `changes` are new values: ``name`` of the scope, ``/step.key`` of what is recorded. Without `new`, it writes its files
        where that run does.
        """
        ...

    def diff(self, first: str, second: str) -> list[Line]:
        """Two runs side by side, path by path."""
        ...

    async def replay(self, run_id: str) -> Replayed:
        """Walk a run's plan again over its journal, performing nothing, and see whether the same events come out."""
        ...

    async def promote(self, run_id: str) -> None:
        """Make a run the current one of its line."""
        ...

    async def discard(self, run_id: str) -> list[str]:
        """Drop a fork and its children; the ids of what is gone."""
        ...

    def due(self, at: int, *, limit: int = 100) -> list[Run]:
        """Waiting runs that nobody drives and that could go on at `at` (microseconds since the epoch), oldest first."""
        ...

    def events(self, run_id: str, *, after: int = 0) -> list[Event]:
        """The events of a run after sequence number `after`."""
        ...

    def follow(self, run_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        """The events of a run, then those to come, until it ends; whichever process drives it."""
        ...

    def live(self, run_id: str) -> AsyncIterator[Envelope]:
        """What happens to a run that this process drives, streamed text included, from now on."""
        ...

    def why(self, run_id: str) -> list[WakeSource]:
        """What an open run is waiting for."""
        ...

    def verify(self, run_id: str) -> Verdict:
        """Prove a run: its events by their hash chain, and its row by the events."""
        ...

    def plan_of(self, run_id: str) -> Plan:
        """The plan that a run was started with.

        Raises:
            MismatchError: it is damaged, or of another version.
        """
        ...

    def trace(self, run_id: str) -> Mapping[str, Any]:
        """The trace of a run, secrets out."""
        ...

    def reasoning(self, run_id: str) -> list[Iteration]:
        """How the agents of a run came to their answers, secrets out, tools as far as the workflow lets them be seen."""
        ...

    async def fetch(self, run_id: str, files: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The files that a run has written, where whoever asks finds them."""
        ...

    async def delete(self, run_id: str) -> list[str]:
        """Remove a run that has ended, with its child runs, and return the ids of what is gone."""
        ...

    def own_tools(self, file: Path) -> list[dict[str, Any]]:
        """The tools of a workflow that come from no MCP server: ``name``, ``from``, ``effect`` and ``description``."""
        ...

    async def try_servers(self, file: Path) -> list[Tried]:
        """Start or reach each MCP server of a workflow, and list its tools."""
        ...

    async def login(self, file: Path, server: str, show: Callable[[str], Awaitable[None]]) -> Tried:
        """Log in to a remote MCP server; `show` is given the address that a browser has to open."""
        ...

    def tool_changes(self, file: Path) -> list[Change]:
        """Tools of MCP servers that are described differently now than when somebody last accepted it."""
        ...

    def accept_tools(self, file: Path, server: str, tools: Sequence[str]) -> list[str]:
        """Accept the latest descriptions of these tools of a server, or of all; their names."""
        ...

    def automations(self, *kinds: str) -> list[Automation]:
        """Schedules (``schedule``) and triggers (``file``, ``run``), by name."""
        ...

    def automation(self, name: str) -> tuple[Automation, list[Firing]]:
        """One of them, and what it has done lately, the latest first."""
        ...

    async def add_automation(self, new: NewAutomation) -> Automation:
        """Keep a schedule or a trigger; see `Desk.add`."""
        ...

    async def sync_automations(self, path: Path, how: Manner | None = None) -> Synced:
        """Make active what a workflow file, or every one below a folder, says of schedules and triggers.

        Raises:
            SpecError: a workflow has problems.
            InputError: an input is missing, or the file says nothing of it.
            ConflictError: a name is taken.
        """
        ...

    async def pause_automation(self, name: str, *, paused: bool) -> Automation:
        """Pause one, or let it go on."""
        ...

    async def remove_automation(self, name: str) -> None:
        """Forget one; runs that it has started stay."""
        ...

    def upcoming(self, name: str, count: int) -> list[int]:
        """The next times of a schedule, in microseconds since the epoch."""
        ...

    def worker(self, *, concurrency: int, report: Report) -> Worker:
        """A worker that fires and drives in this process; see `Worker`."""
        ...

    def settings(self) -> list[SettingRow]:
        """Each setting, and where it comes from."""
        ...

    def doctor(self) -> list[Finding]:
        """What of this machine is fit for work, and what to do about the rest."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...

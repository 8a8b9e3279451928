"""One simulation of a workflow, from its file to a report."""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from typing import Any

from weft.agents.planning.performer import PlannerPerformer
from weft.agents.swarm.performer import SwarmPerformer
from weft.app.programs import PythonWorkflows
from weft.core.canonical import dumps, sha256
from weft.core.clock import iso
from weft.core.errors import InputError, InternalError, UnsupportedError
from weft.core.event import Event
from weft.core.ids import path_key
from weft.engine.fold import fold
from weft.engine.local import Engine
from weft.engine.port import Performer
from weft.plan.compile import compile_workflow
from weft.plan.definitions import Overrides
from weft.plan.nodes import Plan
from weft.plan.scope import initial_scope
from weft.python.naming import named
from weft.spec import load
from weft.spec.inputs import resolve_inputs
from weft.spec.model.swarm import Partition
from weft.spec.model.workflow import Workflow
from weft.store.journal import Journal
from weft.store.runs import Run
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.simulation import EPOCH, SeededEntropy, SimulatedClock, simulate
from weft.testing.simulator.actors import SimulatedAgents, SimulatedArtifacts, SimulatedTools, World
from weft.testing.simulator.faults import Faults
from weft.testing.simulator.people import Manner, People
from weft.testing.simulator.scale import scaled

Json = Any
_LIVES = 10_000
_CALLS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What to simulate. With `keep`, the journal stays in that folder, which must be new or empty.

    `answer` says how people answer gates; without it nobody does, and the run ends waiting.
    """

    file: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    agents: int | None = None
    seed: int = 0
    faults: Faults = Faults()
    partitions: tuple[Partition, ...] = ()
    keep: Path | None = None
    answer: Manner | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of it. `digest` is of all events, byte for byte; `measured` differs from run to run, the rest never does."""

    run_id: str
    workflow: str
    status: str
    seed: int
    outputs: Json
    error: Mapping[str, Json] | None
    calls: int
    requests: int
    tokens: int
    events: int
    virtual_s: float
    crashes: int
    injected: Mapping[str, int]
    convergence: Mapping[str, Json]
    answered: Mapping[str, int]
    digest: str
    measured: Mapping[str, float]

    def as_json(self) -> dict[str, Json]:
        """The report as plain data."""
        return {name: getattr(self, name) for name in self.__slots__}


def rehearse(simulation: Simulation) -> Report:
    """Simulate a workflow.

    Raises:
        SpecError: the file has problems.
        InputError: inputs are missing, or the workflow cannot be scaled so.
    """
    workflow = scaled(_document(simulation.file), agents=simulation.agents, partitions=simulation.partitions)
    plan = compile_workflow(workflow, Overrides(offline=True))
    inputs = resolve_inputs(workflow, simulation.variables).values
    scope = initial_scope(plan, inputs, session_id="simulation", started_at=iso(EPOCH))
    with tempfile.TemporaryDirectory(prefix="weft-simulation-") as folder:
        home = Path(folder)
        if simulation.keep is not None:
            home = _own(simulation.keep)
        stage = _Stage(simulation, home)
        began = time.perf_counter()
        run, events = simulate(lambda: stage.play(plan, scope, inputs), seed=simulation.seed)
        seconds = time.perf_counter() - began
    return _report(simulation, stage, run, events, seconds)


def _document(file: Path) -> Workflow:
    target = named(file)
    if target is None:
        return load.load(file)
    workflow = PythonWorkflows().workflow(target)
    if workflow is None:
        raise UnsupportedError(
            f"{file} is a workflow function, and only documents are simulated",
            fix="build the workflow with `weft.build`, or write it in YAML",
        )
    return workflow


def _own(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not an empty folder", fix="give --keep a folder that is new or empty")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class _Stage:
    """A journal of its own, and one engine after the other over it, as processes die."""

    def __init__(self, simulation: Simulation, home: Path) -> None:
        self.world = World(simulation.seed, simulation.faults)
        self.crashes = 0
        self._simulation = simulation
        self._home = home
        self._entropy = SeededEntropy(simulation.seed)
        self.people = People(simulation.seed, simulation.answer)
        self._luck = random.Random(f"{simulation.seed}/crashes")  # noqa: S311 -- repeatable on purpose
        self._performers: dict[str, Performer] = {
            "agent": SimulatedAgents(self.world),
            "tool": SimulatedTools(self.world),
            "artifact": SimulatedArtifacts(),
            "swarm": SwarmPerformer(),
        }

    async def play(self, plan: Plan, scope: Mapping[str, Json], inputs: Mapping[str, Json]) -> tuple[Run, list[Event]]:
        """Drive one run to its end, in as many lives as it takes."""
        journal = Journal(self._home / "journal.db", durability="fast", entropy=self._entropy, inline=True)
        try:
            engine = self._engine(journal)
            run_id = await engine.start(plan, scope, inputs=inputs)
            for _ in range(_LIVES):
                if await self._lived(engine, journal, run_id):
                    return journal.runs.get(run_id), journal.events(run_id)
                engine = self._engine(journal)
        finally:
            journal.close()
        raise InternalError(f"the run has died {_LIVES} times", fix="lower the chance of `crashes`")

    async def _lived(self, engine: Engine, journal: Journal, run_id: str) -> bool:
        """Drive the run until it ends or the process dies; whether it has come to its end."""
        if self._simulation.faults.crashes:
            when = self._luck.choice(("before", "after"))
            journal.writer = CrashingWriter(journal, at=self._span(), when=when)  # type: ignore[assignment,arg-type]  # a writer around the writer
        try:
            result = await engine.drive(run_id)
            doubts = [wait["path"] for wait in result.waits if wait.get("kind") == "doubt"]
            for path in doubts:
                # Who is asked looks at the world and tells the truth.
                await engine.settle(run_id, path, did=_happened(self.world, run_id, path))
            answered = await self.people.answer(engine, journal) if result.status == "waiting" else 0
            await engine.close()
        except Crash:
            self.crashes += 1
            bury(engine, journal)
            return journal.runs.get(run_id).ended
        if isinstance(journal.writer, CrashingWriter):
            journal.writer = journal.writer._inner  # noqa: SLF001 -- its own subclass's door
        return not (doubts or answered)

    def _span(self) -> int:
        """After how many appends the process dies next: each has the same chance."""
        return 1 + int(log(1 - self._luck.random()) / log(1 - self._simulation.faults.crashes))

    def _engine(self, journal: Journal) -> Engine:
        performers = {**self._performers, "planner": PlannerPerformer(journal)}
        return Engine(journal, performers, clock=SimulatedClock(), new_id=self._entropy.new_id, concurrency=_CALLS)


def _happened(world: World, run_id: str, path: str) -> bool:
    """Whether the effect of a step has reached the world."""
    return path_key(run_id, path) in world.happened


def _report(simulation: Simulation, stage: _Stage, run: Run, events: list[Event], seconds: float) -> Report:
    state = fold(events)
    ended = [event for event in events if event.kind in {"step.completed", "step.failed"}]
    results = [event for event in ended if str(event.data.get("target", "")).endswith(".result")]
    found = results[-1].data.get("value") or {} if results else {}
    shown = ("converged", "rounds", "ballots", "members", "informed", "agreed", "stable", "decided_by")
    total = state.total()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    return Report(
        run_id=run.id,
        workflow=run.workflow,
        status=run.status,
        seed=simulation.seed,
        outputs=state.outputs,
        error=run.error,
        calls=sum("call" in event.data for event in ended),
        requests=stage.world.requests,
        tokens=total.tokens,
        events=len(events),
        virtual_s=round((events[-1].at - events[0].at) / 1_000_000, 6),
        crashes=stage.crashes,
        injected=dict(sorted(stage.world.injected.items())),
        convergence={name: found[name] for name in shown if name in found},
        answered=dict(sorted(stage.people.answered.items())),
        digest=sha256(b"\n".join(map(_line, events))),
        measured={
            "seconds": round(seconds, 3),
            "events_per_s": round(len(events) / seconds),
            "peak_mb": round(peak, 1),
        },
    )


def _line(event: Event) -> bytes:
    return dumps([event.seq, event.at, event.kind, event.path, event.data, event.hash])

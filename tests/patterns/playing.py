"""A world in which samples are played: real performers over scripted agents and tools that count what they did, in virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.engine.world import World as Place
from tests.patterns.asking import AskingAgents
from tests.patterns.samples import SIGNALS
from weft.agents.direct import ToolPerformer
from weft.agents.planning.performer import PlannerPerformer
from weft.agents.swarm.performer import SwarmPerformer
from weft.core.clock import SystemClock
from weft.core.event import Event
from weft.core.ids import path_key
from weft.engine.answering import NewSignal
from weft.engine.clock import ClockPerformer
from weft.engine.fold import fold
from weft.engine.local import Engine, RunResult
from weft.engine.port import Done
from weft.engine.questions import Answer
from weft.engine.replay import replay
from weft.engine.shelf import Shelf
from weft.engine.why import wake_sources
from weft.plan.nodes import Plan
from weft.plan.scope import initial_scope
from weft.secrets.resolve import Secrets
from weft.store.gates import Gate
from weft.store.runs import Run
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.simulation import SimulatedClock
from weft.testing.simulator.actors import SimulatedAgents, SimulatedArtifacts
from weft.testing.simulator.actors import World as Agents
from weft.testing.simulator.faults import Faults
from weft.tools.port import ToolContext, ToolSpec

PRICE = Decimal("0.001")
"""What a request to a scripted agent costs, in US dollars."""
_DRIVES = 80
_HANGS_S = 5_000
_SCHEMA = {
    "type": "object",
    "properties": {"as": {}, "takes": {}, "fails": {}, "gives": {}},
    "additionalProperties": False,
}


class Boundaries:
    """Counts the effect boundaries: there is one before and one after each effect. The process dies at number `fatal`."""

    def __init__(self) -> None:
        self.passed = 0
        self.fatal = 0
        self.writer: CrashingWriter | None = None

    def cross(self) -> None:
        self.passed += 1
        if self.passed == self.fatal:
            assert self.writer is not None
            self.writer.fired = True
            raise Crash


class Outside(Agents):
    """The agents' side of the world: counts requests by idempotency key."""

    def __init__(self, boundaries: Boundaries) -> None:
        super().__init__(5, Faults(latency=(0.1, 1.0)))
        self.boundaries = boundaries
        self.touched: Counter[str] = Counter()

    async def touch(self, context):
        self.boundaries.cross()
        draw = await super().touch(context)
        self.touched[context.key] += 1
        self.boundaries.cross()
        return draw


class PaidAgents(SimulatedAgents):
    """Scripted agents that cost money."""

    async def _request(self, said, call, scope, step) -> Done:
        done = await super()._request(said, call, scope, step)
        assert done.usage is not None
        return Done(done.value, done.usage + type(done.usage)(cost=PRICE))


@dataclass
class Hand:
    """A tool: takes ``takes`` seconds, then fails if it ``fails``, or touches the world once and answers what it ``gives``."""

    name: str
    effect: Any
    world: World

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(name=self.name, description=self.name, input_schema=_SCHEMA, effect=self.effect)

    def effect_of(self, args):
        return self.effect

    async def call(self, args, context):
        self.world.boundaries.cross()
        self.world.asked.append(str(args.get("as")))
        await asyncio.sleep(float(args.get("takes", 0)))
        if str(args.get("fails", False)).lower() == "true":
            raise ValueError(f"{args.get('as')} does not work")
        self.world.effects[context.key] += 1
        self.world.classes[context.key] = self.effect
        self.world.results[context.key] = args.get("gives", args.get("as"))
        self.world.names[context.key] = str(args.get("as"))
        self.world.boundaries.cross()
        return self.world.results[context.key]

    async def check(self, key, context):
        return self.world.results.get(key)


Person = Callable[[Gate], Answer | None]


def approve(gate: Gate) -> Answer:
    """Says yes to everything; to a question without choices, something."""
    if gate.request.get("choices"):
        return Answer(by="ada", verdict="approve")
    return Answer(by="ada", response="sure", values={} if gate.request.get("form") else None)


def reject(gate: Gate) -> Answer:
    return Answer(by="ada", verdict="reject", response=None if gate.request.get("choices") else "reject", why="no")


def silent(gate: Gate) -> None:
    """Never answers."""


@dataclass
class Told:
    """A run as the journal tells it."""

    run: Run
    plan: Plan
    events: list[Event]


@dataclass
class Played:
    """What is left when a world is over."""

    result: RunResult
    outputs: Any
    family: list[Told]
    effects: Counter[str]
    touched: Counter[str]
    names: dict[str, str]
    asked: list[str]
    appends: int = 0
    boundaries: int = 0
    spent: Any = None
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> list[str]:
        """What tools did to the world, by name."""
        return sorted(name for key, name in self.names.items() if self.effects[key])

    @property
    def events(self) -> list[Event]:
        """The events of the run itself, without its children's."""
        return self.family[0].events


class World(Place):
    """A small world with scripted agents and tools; it lives on when the process dies."""

    def __init__(self) -> None:
        self.boundaries = Boundaries()
        self.outside = Outside(self.boundaries)
        self.asked: list[str] = []
        self.effects: Counter[str] = Counter()
        self.classes: dict[str, str] = {}
        self.results: dict[str, Any] = {}
        self.names: dict[str, str] = {}
        self.deaths = 0
        self.tools = {
            name: Hand(name, effect, self)
            for name, effect in (("do", "idempotent"), ("pay", "reconcile"), ("post", "once"), ("ask", "once"))
        }
        self.listeners: tuple[Any, ...] = ()
        self.person: Person = approve
        super().__init__(seed=5)

    def new_engine(self, **settings: Any) -> Engine:
        def context(step: Any) -> ToolContext:
            return ToolContext(key=step.key, workdir=Path(), clock=SystemClock(), http=None, secrets=Secrets())  # type: ignore[arg-type]

        performers = {
            "agent": AskingAgents(PaidAgents(self.outside), lambda _: self.tools, context),
            "tool": ToolPerformer(lambda _: self.tools, context),
            "artifact": SimulatedArtifacts(),
            "clock": ClockPerformer(),
            "swarm": SwarmPerformer(),
            "planner": PlannerPerformer(self.journal),
        }
        how = {"clock": SimulatedClock(), "new_id": self.entropy.new_id, "near_s": self.near_s} | settings
        return Engine(self.journal, performers, listeners=self.listeners, **how)

    async def begin(self, plan: Plan, signals: str = "") -> str:
        """Create a run of a sample, and send it the signals of the sample of this name."""
        run_id = await self.engine.start(plan, initial_scope(plan, {}))
        await self.send(run_id, signals, set())
        return run_id

    async def send(self, run_id: str, signals: str, heard: set[str]) -> None:
        """Send a run the signals of the sample of this name but those whose keys it has heard."""
        for place, (name, data) in enumerate(SIGNALS.get(signals, ())):
            if f"k{place}" not in heard:
                await self.engine.signal(run_id, NewSignal(name=name, data=data, key=f"k{place}"))

    def family(self, run_id: str) -> list[Run]:
        """A run, its children and theirs."""
        below = self.journal.runs.children(run_id)
        return [self.journal.runs.get(run_id), *(each for child in below for each in self.family(child.id))]

    async def to_its_end(self, run_id: str, person: Person = approve, *, reopen: bool = False) -> RunResult:
        """Drive a run again and again, while people answer and whoever is asked about a doubtful step tells the truth."""
        for _ in range(_DRIVES):
            result = await asyncio.wait_for(self.engine.drive(run_id, reopen=reopen), _HANGS_S)
            reopen = False
            if result.status != "waiting":
                return result
            if not await self._attend(run_id, person):
                if due := self.journal.runs.get(run_id).due:
                    await asyncio.sleep(max(0, due / 1e6 - SimulatedClock().micros() / 1e6) + 0.01)
                    continue
                return result
        raise AssertionError("the run never ends")

    async def _attend(self, run_id: str, person: Person) -> bool:
        """Answer what the family of a run waits for; whether there was anything."""
        moved = False
        for run in self.family(run_id):
            for gate in self.journal.gates.of(run.id):
                answer = person(gate) if gate.status == "open" else None
                if answer is not None:
                    await self.engine.decide(run.id, gate.id, answer)
                    moved = True
            if run.driven or run.ended:
                continue
            state = fold(self.journal.events(run.id))
            for path in state.doubts():
                if path not in state.settled:
                    await self.engine.settle(run.id, path, did=self.effects[path_key(run.id, path)] > 0)
                    moved = True
        return moved

    def die_at(self, at: int = 0, when: Any = "before", boundary: int = 0) -> CrashingWriter:
        """From now on, the process dies at an append or at an effect boundary."""
        writer = CrashingWriter(self.journal, at=at, when=when)
        self.journal.writer = self.boundaries.writer = writer  # type: ignore[assignment]
        self.boundaries.fatal = boundary and self.boundaries.passed + boundary
        return writer

    def bury(self) -> None:
        """The process is dead; another one takes its place."""
        self.deaths += 1
        bury(self.engine, self.journal)
        self.engine = self.new_engine()

    def recorded(self, run_id: str) -> set[str]:
        """The keys of everything in the family of a run that its journals hold the end of."""
        return {
            path_key(run.id, path) for run in self.family(run_id) for path in fold(self.journal.events(run.id)).outcomes
        }

    def counts(self, keys: set[str]) -> dict[str, tuple[int, int]]:
        return {key: (self.outside.touched[key], self.effects[key]) for key in keys}

    def told(self, run_id: str, result: RunResult) -> Played:
        """What there is to know when all is over."""
        shelf = Shelf(self.journal)
        family = [Told(run, shelf.load(run.plan_hash), self.journal.events(run.id)) for run in self.family(run_id)]
        return Played(
            result,
            fold(family[0].events).outputs,
            family,
            self.effects,
            self.outside.touched,
            self.names,
            self.asked,
            spent=fold(family[0].events).total(),
        )

    def check(self, run_id: str) -> None:
        """What must hold of every family of runs when it is at rest."""
        for run in self.family(run_id):
            assert self.journal.verify(run.id).intact
            events = self.journal.events(run.id)
            state = fold(events)
            ends = Counter(
                (event.path, life) for life, event in _lives(events) if event.kind in {"step.completed", "step.failed"}
            )
            assert set(ends.values()) <= {1}, [path for path, times in ends.items() if times > 1]
            assert bool(wake_sources(run, state)) != run.ended, (run.status, run.id)
            if run.ended:
                asked = [gate.path for gate in self.journal.gates.of(run.id) if gate.status == "open"]
                assert not asked, f"nobody needs these answers any more: {asked}"
        for key, times in self.effects.items():
            allowed = 1 if self.classes[key] in {"reconcile", "once"} else 1 + self.deaths
            assert times <= allowed, f"{self.names[key]} happened {times} times"


def _lives(events: list[Event]):
    life = 0
    for event in events:
        life += event.kind in {"run.reopened", "run.forked"}
        yield life, event


def prove(played: Played) -> None:
    """A replay of each run finds the same events."""
    for told in played.family:
        found = replay(told.run.id, told.plan, told.events)
        assert found.difference is None, (told.run.workflow, found.difference)

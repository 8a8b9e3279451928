"""State machines whose states are not there, not reached, or never left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from weft.core.errors import Problem
from weft.spec.model.base import Pointer
from weft.spec.model.machine import Always, MachineState, StateMachineConfig, Transition
from weft.spec.suggest import did_you_mean
from weft.spec.tree import Source

Problems = Iterator[Problem]
_Way = tuple[Pointer, Transition | Always]


def machine_problems(config: StateMachineConfig, pointer: Pointer, source: Source) -> Problems:
    """Findings about the states of a machine and what leads from one to another."""
    states = config.states
    if config.initial not in states:
        fix = did_you_mean(config.initial, states, noun="states here")
        yield source.problem("unknown-state", (*pointer, "initial"), f"there is no state {config.initial!r}", fix)
    for name, state in states.items():
        spot = (*pointer, "states", name)
        yield from _targets(list(_ways(state)), states, spot, source)
        yield from _shadowed(state, spot, source)
        yield from _ends(name, state, spot, source)
        for place, event in enumerate(state.defer):
            if event in state.on:
                message = f"{event!r} is both kept for later and answered here"
                yield source.problem("wrong-value", (*spot, "defer", place), message, "keep one of them")
    if config.initial in states:
        yield from _reach(config, pointer, source)


def _ways(state: MachineState) -> Iterator[_Way]:
    """Every way out of a state with its place below it."""
    for key, value in (("after", state.after), ("always", state.always)):
        yield from _listed(value, (key,), state.timers() if key == "after" else state.immediate())
    for event, ways in state.events().items():
        yield from _listed(state.on[event], ("on", event), ways)


def _listed(written: Any, spot: Pointer, ways: Iterable[Transition | Always]) -> Iterator[_Way]:
    for place, way in enumerate(ways):
        yield ((*spot, place) if isinstance(written, list) else spot), way


def _targets(ways: list[_Way], states: Iterable[str], spot: Pointer, source: Source) -> Problems:
    for below, way in ways:
        if way.to is None:
            if way.do is None:
                fix = "write `to`, `do`, or both"
                yield source.problem("missing-key", (*spot, *below), "this way leads nowhere and does nothing", fix)
        elif way.to not in states:
            fix = did_you_mean(way.to, states, noun="states here")
            where = (*spot, *below, "to")
            where = where if source.has(where) else where[:-1]
            yield source.problem("unknown-state", where, f"there is no state {way.to!r}", fix)


def _shadowed(state: MachineState, spot: Pointer, source: Source) -> Problems:
    """Ways behind one that is always open."""
    rows: list[tuple[Pointer, list[Any]]] = [(("always",), list(state.immediate()))]
    rows += [(("on", event), list(ways)) for event, ways in state.events().items()]
    for below, ways in rows:
        for place, way in enumerate(ways[:-1]):
            if way.guard is None:
                message = "what stands behind a way without a guard is never taken"
                fix = "give it a `guard`, or move it to the end"
                yield source.problem("never-taken", (*spot, *below, place), message, fix)


def _ends(name: str, state: MachineState, spot: Pointer, source: Source) -> Problems:
    ways = any(True for _way in _ways(state))
    leaving = any(way.to is not None for _spot, way in _ways(state))
    if state.final and (ways or state.exit is not None):
        message = f"{name!r} is final, so it is never left"
        yield source.problem("final-state", spot, message, "take out its ways and `exit`, or `final`")
    elif not state.final and not leaving:
        message = f"no way leads out of the state {name!r}"
        yield source.problem("dead-end", spot, message, "write `final: true`, or `on`, `after` or `always` with a `to`")


def _reach(config: StateMachineConfig, pointer: Pointer, source: Source) -> Problems:
    states = config.states
    leads = {name: [way.to for _spot, way in _ways(state) if way.to in states] for name, state in states.items()}
    reached = _closure([config.initial], leads)
    for name in states:
        if name not in reached:
            message = f"nothing leads to the state {name!r}"
            yield source.problem(
                "unreachable-state", (*pointer, "states", name), message, "lead a way to it, or remove it"
            )
    back: dict[str, list[Any]] = {name: [] for name in states}
    for name, targets in leads.items():
        for target in targets:
            back[str(target)].append(name)
    ending = _closure([name for name, state in states.items() if state.final], back)
    for name in states:
        if name in reached and name not in ending and leads[name]:
            message = f"no final state can be reached from {name!r}: the run would only end by being cancelled"
            fix = "write `final: true` on the state in which the work is done"
            yield source.problem("no-final", (*pointer, "states", name), message, fix, severity="warning")
            return


def _closure(start: Iterable[str], leads: dict[str, list[Any]]) -> set[str]:
    found: set[str] = set()
    pending = list(start)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += leads[name]
    return found

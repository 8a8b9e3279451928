"""State machine: one token that walks from state to state, on events, after times, or at once.

Each visit of a state is one body: what is done on entering it, a wait that ends with a way out (`go`, its label), what is done
on leaving. The arrows of the state lead where `go` says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from weft.plan.nodes import Arrow, Branch, Choose, Loop, Machine, Node, Sequence, Set, Signal, State, Wait
from weft.plan.patterns.compiler import PREVIOUS, Compiler
from weft.plan.patterns.flow import WAITED, begun, clock, present, series, start_of
from weft.plan.patterns.reach import by_reach
from weft.spec.expressions import bare, computed, literal
from weft.spec.model.base import Section
from weft.spec.model.machine import Always, MachineState, StateMachine, StateMachineConfig, Timer, Transition
from weft.spec.variables import ANSWER, names_within

GO, STATE, SIGNAL, STATES = "go", "state", "signal", "states"
_LEFT = f"{GO} is not none"
_CAME = f"{WAITED}[{{0}}]"


@dataclass(frozen=True, slots=True)
class _Way:
    """A way out of a state, or, without a target, one that stays in it. `label` is its value of `go`."""

    label: str
    rule: Transition | Always
    event: str | None = None

    @property
    def guard(self) -> str | None:
        return f"({bare(self.rule.guard)})" if self.rule.guard else None


def compile_machine(pattern: StateMachine, compiler: Compiler, name: str) -> Node:
    """A machine at ``/machine``, whose visits stand at ``/machine/<state>[n]``."""
    config = pattern.config
    making = _Making(config, compiler)
    held = {each: present(each) for each in (STATE, *making.names)}
    machine = Machine(
        name="machine",
        start=config.initial,
        states=tuple(making.state(each, config.states[each]) for each in _in_order(config)),
        into=STATES,
        max_visits=config.max_visits,
        value={"response": present("last_response"), **held},
    )
    return Sequence(name=name, children=(*start_of(config.context), machine), exports=(STATES, *held))


class _Making:
    """Makes the states of one machine."""

    def __init__(self, config: StateMachineConfig, compiler: Compiler) -> None:
        self._config = config
        self._compiler = compiler
        self.names = tuple(sorted({*config.context, *names_within(config), ANSWER}))
        self._events = sorted({event for state in config.states.values() for event in state.on})

    def state(self, name: str, rule: MachineState) -> State:
        """One state: what is done there, and where it leads."""
        ways = _ways(rule)
        opening = Set(name="begin", values={STATE: literal(name), GO: "none"})
        children: list[Node] = [opening]
        if rule.entry is not None:
            children.append(self._steps(rule.entry, "entry", begun(self._compiler.opening)))
        if not rule.final:
            children += self._decision(name, rule, ways)
            if rule.exit is not None:
                children.append(self._steps(rule.exit, "exit"))
            children += self._leaving(ways)
        body = Sequence(
            name="",
            children=tuple(children),
            value={"response": present("last_response"), "state": STATE, "go": GO},
            exports=(*self.names, STATE, SIGNAL, GO),
        )
        arrows = tuple(
            Arrow(to=way.rule.to, when=f"{GO} == {literal(way.label)}") for way in ways if way.rule.to is not None
        )
        return State(name=name, body=body, exits=(arrows,) if arrows else (), final=rule.final)

    def _steps(self, do: Section | list[Section], name: str, prompt: str = PREVIOUS) -> Node:
        node = series(do, self._compiler, name, prompt)
        return Sequence(name=name, children=node.children, exports=self.names)

    def _decision(self, name: str, rule: MachineState, ways: list[_Way]) -> Iterable[Node]:
        """What ends with a way out, and a failure when there is none."""
        timers = [way for way in ways if isinstance(way.rule, Timer)]
        again = any(way.rule.to is None for way in ways) or len(timers) > 1 or any(way.guard for way in timers)
        clocked = again and bool(timers)
        stuck = f"the state {name!r} has no way out: no guard of `always` holds"
        if not again:
            yield self._next(rule, ways, timers, clocked=False, stuck=stuck)
            return
        names = (*self.names, SIGNAL, GO, "fired")
        if clocked:
            due = ", ".join(
                f"{{'at': {WAITED}[0].at + ({computed(way.rule.seconds)}), 'way': {literal(way.label)}}}"
                for way in timers
                if isinstance(way.rule, Timer)
            )
            begin = Set(name="due", values={"due": f"[{due}] | sort(attribute='at')", "fired": "0"})
            yield Sequence(name="timers", children=(clock("clock"), begin), into=WAITED, exports=("due", "fired"))
        body = self._next(rule, ways, timers, clocked=clocked, stuck=stuck)
        yield Loop(
            name="next",
            body=Sequence(name="", children=(body,), exports=names),
            until=_LEFT,
            max_iterations=self._config.max_visits,
            exports=(*names, "last_response"),
        )
        many = f"the state {name!r} was not left after {self._config.max_visits} events"
        yield Choose(name="left", branches=(Branch(when=_LEFT, node=Set(name="", values={})),), required=many)

    def _next(self, rule: MachineState, ways: list[_Way], timers: list[_Way], *, clocked: bool, stuck: str) -> Node:
        """The ways that are open at once, else a wait for what opens one."""
        at_once = [way for way in ways if isinstance(way.rule, Always)]
        waiting = [way for way in ways if way not in at_once]
        listen = self._listen(rule, waiting, timers, clocked=clocked) if waiting else None
        if not at_once:
            assert listen is not None
            return listen
        branches = tuple(Branch(when=way.guard or "true", node=_taken(way)) for way in at_once)
        return Choose(name="always", branches=branches, otherwise=listen, required=None if listen else stuck)

    def _listen(self, rule: MachineState, ways: list[_Way], timers: list[_Way], *, clocked: bool) -> Node:
        signals = tuple(self._signals(rule, ways))
        children: list[Node] = []
        if clocked:
            children.append(clock("clock"))
            left = f"due[fired].at - {WAITED}[0].at"
            timed = Wait(name="event", seconds=f"{left} if {left} > 0 else 0", signals=signals)
            more = Branch(when="fired < due | length", node=timed)
            children.append(Choose(name="", branches=(more,), otherwise=Wait(name="event", signals=signals)))
        else:
            seconds = next((computed(way.rule.seconds) for way in timers if isinstance(way.rule, Timer)), None)
            children.append(Wait(name="event", seconds=seconds, signals=signals))
        came = _CAME.format(len(children) - 1)
        timer = "due[fired].way" if clocked else literal(timers[0].label) if timers else "none"
        name = f"{came}.signal if {came} else none"
        values = {
            SIGNAL: f"{{'name': {name}, 'data': {came}.data if {came} else none}}",
            "rang": f"none if ({name}) else {timer}",
        }
        if clocked:
            values["fired"] = f"fired if ({name}) else fired + 1"
        branches = tuple(Branch(when=_came(way), node=self._taking(way)) for way in ways)
        children += (Set(name="came", values=values), Choose(name="", branches=branches))
        return Sequence(
            name="listen",
            children=tuple(children),
            into=WAITED,
            exports=(*self.names, SIGNAL, GO, *(("fired",) if clocked else ())),
        )

    def _signals(self, rule: MachineState, ways: list[_Way]) -> Iterable[Signal]:
        """Every event of the machine, so that one that means nothing here is passed over and not kept for later."""
        for event in self._events:
            guards = [way.guard for way in ways if way.event == event]
            if guards:
                yield Signal(name=event, when=None if None in guards else " or ".join(map(str, guards)))
            elif event not in rule.defer:
                yield Signal(name=event, when="false")

    def _taking(self, way: _Way) -> Node:
        if way.rule.to is not None:
            return _taken(way)
        return self._steps(way.rule.do, way.label) if way.rule.do is not None else Set(name=way.label, values={})

    def _leaving(self, ways: list[_Way]) -> Iterable[Node]:
        """What the way that was taken does after the exit steps."""
        branches = tuple(
            Branch(when=f"{GO} == {literal(way.label)}", node=self._steps(way.rule.do, way.label))
            for way in ways
            if way.rule.to is not None and way.rule.do is not None
        )
        if branches:
            yield Choose(name="do", branches=branches)


def _in_order(config: StateMachineConfig) -> list[str]:
    """The states as one comes to them from the initial one."""
    targets = {name: [way.rule.to for way in _ways(rule) if way.rule.to] for name, rule in config.states.items()}
    return by_reach(config.initial, targets)


def _ways(rule: MachineState) -> list[_Way]:
    found: list[tuple[str, Transition | Always, str | None]] = [("always", way, None) for way in rule.immediate()]
    found += [(event, way, event) for event, ways in sorted(rule.events().items()) for way in ways]
    found += [("after", way, None) for way in rule.timers()]
    places: dict[str, int] = {}
    ways = []
    for label, way, event in found:
        place = places[label] = places.get(label, -1) + 1
        ways.append(_Way(f"{label}[{place}]" if place else label, way, event))
    return ways


def _taken(way: _Way) -> Node:
    return Set(name=way.label, values={GO: literal(way.label)})


def _came(way: _Way) -> str:
    """Whether what the wait ended with opens this way."""
    came = f"rang == {literal(way.label)}" if way.event is None else f"{SIGNAL}.name == {literal(way.event)}"
    return f"{came} and {way.guard}" if way.guard else came

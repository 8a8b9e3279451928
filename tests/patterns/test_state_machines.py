"""State machines do what the library transitions does with the same machine, and what their page says."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transitions import Machine

from tests.examples import examples
from tests.patterns.flows import Doer, FlowWorld, compiled, tool
from weft.engine.answering import NewSignal
from weft.testing.simulation import simulate

logging.getLogger("transitions").setLevel(logging.ERROR)
RELAXED = settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
EVENTS = ("GO", "STOP", "TICK")


async def feed(world: FlowWorld, config: dict | str, signals: list):
    """Start a machine, send it signals (name, data), and drive it until it ends or waits for more."""
    run_id = await world.engine.start(compiled("state_machine", config), {})
    for name, data in signals:
        await world.engine.signal(run_id, NewSignal(name=name, data=data))
    return await world.engine.drive(run_id)


@st.composite
def machines(draw: st.DrawFn) -> dict:
    """A machine of a few states; guards look at the number that the ways count up, and at the data of the event."""
    count = draw(st.integers(2, 4))
    names = [f"s{place}" for place in range(count)] + ["end"]
    guards = st.sampled_from([None, "n % 2 == 0", "n > 2", "signal.data > 4", "signal.data <= 4"])
    way = st.fixed_dictionaries({"to": st.sampled_from([*names, None]), "guard": guards})
    return {name: {event: ways for event in EVENTS if (ways := draw(st.lists(way, max_size=3)))} for name in names[:-1]}


def document(states: dict) -> dict:
    """`states` in the language: every way counts, and entering and leaving are told."""
    written = {}
    for name, events in states.items():
        on = {
            event: [
                {key: value for key, value in way.items() if value is not None}
                | {"do": [tool(f"{name} {event} {place}"), {"set": {"n": "n + 1"}}]}
                for place, way in enumerate(ways)
            ]
            for event, ways in events.items()
        }
        written[name] = {"entry": tool(f"enter {name}"), "exit": tool(f"exit {name}"), "on": on}
    written["end"] = {"final": True, "entry": tool("enter end")}
    return {"initial": "s0", "context": {"n": 0}, "states": written}


class Oracle:
    """The same machine in the library, which has no place for what is done between leaving and entering: `pending` is it."""

    def __init__(self, states: dict) -> None:
        self.n, self.log, self.pending = 0, [], None
        machine = Machine(
            self,
            states=[
                {"name": name, "on_enter": lambda name=name, **_: self.enter(name), "on_exit": self.leave(name)}
                for name in (*states, "end")
            ],
            initial="s0",
            auto_transitions=False,
            ignore_invalid_triggers=True,
        )
        for event in EVENTS:
            for name, events in states.items():
                for place, way in enumerate(events.get(event, ())):
                    guard = way["guard"]
                    machine.add_transition(
                        event,
                        name,
                        way["to"],
                        conditions=lambda data, guard=guard: guard is None or self.holds(guard, data),
                        before=lambda name=name, event=event, place=place, **_: self.take(f"{name} {event} {place}"),
                        after=lambda **_: self.do(),
                    )
        self.log.append("enter s0")

    def holds(self, guard: str, data: int) -> bool:
        return bool(eval(guard.replace("signal.data", str(data)), {"n": self.n}))

    def leave(self, name):
        return lambda **_: self.log.append(f"exit {name}")

    def take(self, label: str) -> None:
        self.pending = label

    def do(self) -> None:
        if self.pending:
            self.log.append(self.pending)
            self.n += 1
            self.pending = None

    def enter(self, name: str) -> None:
        self.do()
        self.log.append(f"enter {name}")


def sound(states: dict) -> bool:
    """Whether `weft validate` would take the machine: every state is reached and left, no way hides another."""
    reached, pending = set(), ["s0"]
    while pending:
        if (name := pending.pop()) not in reached:
            reached.add(name)
            pending += [way["to"] for ways in states.get(name, {}).values() for way in ways if way["to"]]
    left = all(any(way["to"] for ways in events.values() for way in ways) for events in states.values())
    hidden = any(way["guard"] is None for events in states.values() for ways in events.values() for way in ways[:-1])
    return reached == {*states, "end"} and left and not hidden


@RELAXED
@given(
    machines().filter(sound),
    st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 9)), max_size=8),
    st.integers(0, 2**16),
)
@pytest.mark.slow
def test_a_machine_does_the_same_as_in_transitions(states, events, seed):
    oracle = Oracle(states)
    for event, data in events:
        if oracle.state != "end":
            oracle.trigger(event, data=data)

    async def main():
        world = FlowWorld(Doer())
        result = await feed(world, document(states), events)
        await world.close()
        return result, world.performer.asked

    result, asked = simulate(main, seed=seed)
    assert asked == oracle.log
    assert result.status == ("completed" if oracle.state == "end" else "waiting")
    if oracle.state == "end":
        assert result.outputs["value"]["state"] == "end"
        assert result.outputs["value"]["n"] == oracle.n

"""Random machines, and a reference that plays them in the plainest way: one visit at a time, in any order, with whole histories."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from weft.plan.nodes import Arrow, Call, Machine, Sequence, Set, State
from weft.testing.scripted import ScriptedPerformer, Trouble

NAMES = "ABCDEF"
FAILED = object()


@dataclass
class Case:
    machine: Machine
    troubles: dict[str, Trouble]
    writes: dict[str, dict[str, str]] = field(default_factory=dict)


def performer(troubles: dict[str, Trouble]) -> ScriptedPerformer:
    """Its calls say which visit they are: they stand at ``/m/STATE[visit]/c``."""
    return ScriptedPerformer(troubles, act=lambda call, scope, context: value_of(context.path))


def value_of(path: str) -> dict[str, Any]:
    state, _, visit = path.split("/")[2].rstrip("]").partition("[")
    return {"response": f"{state}{visit}", "visit": int(visit)}


@st.composite
def cases(draw: st.DrawFn, *, fatal: bool = True) -> Case:
    names = NAMES[: draw(st.integers(1, 6))]
    states, troubles, writes = [], {}, {}
    for name in names:
        groups = []
        for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2]))):
            targets = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2))
            groups.append(tuple(Arrow(to=to, when=draw(conditions(name))) for to in targets))
        writes[name] = dict.fromkeys(sorted(draw(st.sets(st.sampled_from("xy")))), f"'{name}'")
        body = Sequence(
            name="",
            children=(Set(name="s", values=writes[name]), Call(name="c", performer="tool", target="t")),
            exports=tuple(writes[name]),
        )
        final = draw(st.sampled_from([False] * 9 + [True])) if fatal else False
        states.append(State(name=name, body=body, exits=tuple(groups), final=final))
        for visit in range(4):
            kind = draw(st.sampled_from(["none", "none", "slow"]))
            if kind == "slow":
                troubles[f"/m/{name}[{visit}]/c"] = Trouble(seconds=draw(st.sampled_from([0.1, 0.5, 2.0, 7.0])))
    if fatal and draw(st.integers(0, 5)) == 0:
        troubles[f"/m/{draw(st.sampled_from(names))}[{draw(st.integers(0, 2))}]/c"] = Trouble(fatal=True)
    machine = Machine(
        name="m",
        start=draw(st.sampled_from(names)),
        states=tuple(states),
        into="st",
        max_visits=draw(st.integers(2, 12)),
        max_parallel=draw(st.none() | st.integers(1, 2)),
        value={"st": "st", "x": "x", "y": "y"},
    )
    return Case(machine, troubles, writes)


def conditions(name: str) -> st.SearchStrategy[str]:
    bounds = st.integers(0, 9).map(lambda bound: f"st.{name}.visit < {bound}")
    return st.just("true") | bounds


def opens(when: str, visit: int) -> bool:
    return when == "true" or visit < int(when.rsplit(" ", 1)[1])


@dataclass
class Coin:
    """A token of the reference: where it waits, where it comes from, and every visit that led to it, with what was written."""

    at: str
    key: tuple[int, int, int]
    past: frozenset[tuple[str, int]]
    names: dict[str, tuple[tuple[str, int], str]]


class Reference:
    """Plays a machine one visit at a time; which of the enabled states is next is drawn."""

    def __init__(self, case: Case, seed: int) -> None:
        self.case, self.machine, self.draw = case, case.machine, random.Random(seed)
        self.states = {state.name: state for state in self.machine.states}
        self.order = {name: place for place, name in enumerate(self.states)}
        self.arrows = {
            name: [arrow.to for group in state.exits for arrow in group] if not state.final else []
            for name, state in self.states.items()
        }
        self.sources = {name: {other for other in self.states if name in self.arrows[other]} for name in self.states}
        self.sources[self.machine.start].add("(start)")
        self.visits = dict.fromkeys(self.states, 0)
        self.log: dict[tuple[str, int], frozenset] = {}

    def reaches(self, one: str, other: str, met: frozenset = frozenset()) -> bool:
        return any(to == other or (to not in met and self.reaches(to, other, met | {to})) for to in self.arrows[one])

    def play(self) -> Any:
        coins = [Coin(self.machine.start, (-1, 0, 0), frozenset(), {"x": (("", 0), "0"), "y": (("", 0), "0")})]
        ended: list[Coin] = []
        while coins:
            waiting = sorted({coin.at for coin in coins}, key=self.order.get)
            enabled = [
                name
                for name in waiting
                if len(self.sources[name]) < 2
                or not any(coin.at != name and self.reaches(coin.at, name) for coin in coins)
            ]
            name = self.draw.choice(enabled) if enabled else waiting[0]
            here = [coin for coin in coins if coin.at == name]
            if len(self.sources[name]) < 2:
                here = [min(here, key=lambda coin: coin.key)]
            coins = [coin for coin in coins if not any(coin is one for one in here)]
            if (sent := self.visit(name, sorted(here, key=lambda coin: coin.key), ended)) is None:
                return FAILED
            coins += sent
        return self.together(sorted(ended, key=lambda coin: coin.key))

    def visit(self, name: str, here: list[Coin], ended: list[Coin]) -> list[Coin] | None:
        number = self.visits[name]
        self.visits[name] += 1
        trouble = self.case.troubles.get(f"/m/{name}[{number}]/c", Trouble())
        if number >= self.machine.max_visits or trouble.fatal:
            return None
        past, names = self.together(here)
        self.log[name, number] = past
        names = names | dict.fromkeys(self.case.writes[name], ((name, number), name))
        past |= {(name, number)}
        sent = []
        for group, arrows in enumerate(self.states[name].exits):
            to = next((arrow.to for arrow in arrows if opens(arrow.when, number)), None)
            if to is not None:
                sent.append(Coin(to, (self.order[name], number, group), past, names))
        if not sent:
            ended.append(Coin("", (self.order[name], number, 0), past, names))
        return sent

    def together(self, coins: list[Coin]) -> tuple[frozenset, dict]:
        past = frozenset().union(*(coin.past for coin in coins))
        names = {}
        for name in "xy":
            said = [(coin.names[name], coin.past) for coin in coins]
            writers = {writer for (writer, _), _ in said}
            stands = [
                (writer, value)
                for (writer, value), _ in said
                if not any(writer in known and other != writer for (other, _), known in said if other in writers)
                and (writer != ("", 0) or writers == {("", 0)})
            ]
            names[name] = (stands or [each for each, _ in said])[-1]
        return past, names


def latest(past: frozenset) -> dict[str, dict[str, Any]]:
    """What `into` holds after these visits."""
    found: dict[str, int] = {}
    for name, number in past:
        found[name] = max(number, found.get(name, 0))
    return {name: value_of(f"/m/{name}[{number}]/c") for name, number in found.items()}

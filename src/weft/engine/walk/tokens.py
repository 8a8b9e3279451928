"""The game of a machine's tokens: which state may be visited next, and what a visit knows of what came before.

Its result does not depend on the order in which visits that are under way together end. A state with one incoming source takes
its tokens in the order in which that source sent them. A state with several waits until no other token can reach it, and what
is enabled in this way stays enabled. When everything waits for each other there is only one such situation, and the first state
in declared order goes on. So visits have the same numbers and see the same things on every schedule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from weft.core.errors import InputError, LimitError
from weft.engine.walk.frame import Conversations, merge
from weft.plan.nodes import Machine, State

Visit = tuple[str, int]
"""A state, and which of its visits."""
START = ""
"""Where the first token comes from."""


@dataclass(frozen=True, slots=True)
class Past:
    """What came before, as a token knows it.

    `seen` holds for each visited state the latest visit and its value, `names` the values written into the scope, each with the
    visit that wrote it, `talks` the calls by conversation.
    """

    seen: Mapping[str, tuple[int, Any]] = field(default_factory=dict)
    names: Mapping[str, tuple[Visit, Any]] = field(default_factory=dict)
    talks: Conversations = field(default_factory=dict)

    def knows(self, visit: Visit) -> bool:
        """Whether `visit`, or a later one of its state, is part of it."""
        latest = self.seen.get(visit[0])
        return latest is not None and latest[0] >= visit[1]

    def after(self, visit: Visit, value: Any, written: Mapping[str, Any], talks: Conversations) -> Past:
        """The past of what `visit` sends on."""
        names = {**self.names, **{name: (visit, each) for name, each in written.items()}}
        return Past({**self.seen, visit[0]: (visit[1], value)}, names, talks)


@dataclass(frozen=True, slots=True)
class Token:
    """On its way to the state `to`, sent by the exit group `group` of the visit `sent_by`."""

    to: str
    sent_by: Visit
    group: int
    past: Past


class Game:
    """The tokens of one machine. `visits` counts them by state; `live` holds what is being visited now, with its past."""

    def __init__(self, node: Machine) -> None:
        self.node = node
        self.states: dict[str, State] = {state.name: state for state in node.states}
        self.order = {START: -1} | {name: index for index, name in enumerate(self.states)}
        self.visits: dict[str, int] = {}
        self.waiting: dict[str, list[Token]] = {}
        self.live: dict[str, tuple[int, Past]] = {}
        self.ended: dict[str, Past] = {}
        arrows = {name: _targets(state) for name, state in self.states.items()}
        if strange := [to for to in (node.start, *chain(*arrows.values())) if to not in self.states]:
            raise InputError(f"the machine leads to {strange[0]!r}, which is no state of it", fix="declare the state")
        self._joins = _joins(arrows, node.start)
        self._reach = _reach(arrows, self.order)

    def begin(self, past: Past) -> None:
        """Put the first token before the start."""
        self._send(Token(self.node.start, (START, 0), 0, past))

    def enabled(self) -> str | None:
        """The first state in declared order that may be visited now."""
        return next((name for name in self._waiting() if self._may_enter(name)), None)

    def stuck(self) -> str | None:
        """When nothing is visited and nothing may be: the state that goes on all the same."""
        return next(iter(self._waiting()), None)

    def enter(self, name: str) -> int:
        """Visit a state with the tokens that wait there; which visit it is.

        Raises:
            LimitError: it was visited as often as it may be.
        """
        visit = self.visits.get(name, 0)
        if visit >= self.node.max_visits:
            raise LimitError(
                f"the state {name!r} was visited {visit} times, and is to be visited once more",
                fix="raise the limit on visits, or see to it that an exit is taken in time",
                state=name,
            )
        queue = self.waiting.pop(name)
        if name not in self._joins and len(queue) > 1:
            self.waiting[name] = queue[1:]
            queue = queue[:1]
        queue.sort(key=lambda token: (self.order[token.sent_by[0]], token.sent_by[1], token.group))
        self.visits[name] = visit + 1
        self.live[name] = (visit, merged([token.past for token in queue]))
        return visit

    def leave(self, name: str, past: Past, targets: Sequence[tuple[int, str]]) -> None:
        """End the visit of a state: it sends a token to each of `targets`, pairs of exit group and state, or its tokens end."""
        visit, _ = self.live.pop(name)
        for group, target in targets:
            self._send(Token(target, (name, visit), group, past))
        if not targets:
            before = self.ended.get(name)
            self.ended[name] = past if before is None else merged([before, past])

    def result(self) -> Past:
        """What all tokens that ended know together."""
        return merged([self.ended[name] for name in self.states if name in self.ended])

    def _send(self, token: Token) -> None:
        self.waiting.setdefault(token.to, []).append(token)

    def _waiting(self) -> list[str]:
        return sorted(self.waiting, key=self.order.__getitem__)

    def _may_enter(self, name: str) -> bool:
        if name in self.live:
            return False
        if name not in self._joins:
            return True
        others = {*self.waiting, *self.live} - {name}
        return not any(self._reach[other] >> self.order[name] & 1 for other in others)


def merged(pasts: Sequence[Past]) -> Past:
    """One past out of several, given in the order in which later ones win where none knows better."""
    if len(pasts) == 1:
        return pasts[0]
    seen: dict[str, tuple[int, Any]] = {}
    writers: dict[str, list[tuple[Visit, Any, Past]]] = {}
    for past in pasts:
        for state, latest in past.seen.items():
            if state not in seen or seen[state][0] < latest[0]:
                seen[state] = latest
        for name, (visit, value) in past.names.items():
            writers.setdefault(name, []).append((visit, value, past))
    names = {name: _last_word(each) for name, each in writers.items()}
    return Past(seen, names, merge({}, (past.talks for past in pasts)))


def _last_word(writers: Sequence[tuple[Visit, Any, Past]]) -> tuple[Visit, Any]:
    """Of several values of a name the one that was written knowing of the others; of those that nobody overwrote, the last."""

    def overwritten(visit: Visit, past: Past) -> bool:
        return any(other != visit and knows.knows(visit) and not past.knows(other) for other, _, knows in writers)

    standing = [(visit, value) for visit, value, past in writers if not overwritten(visit, past)]
    return standing[-1] if standing else writers[-1][:2]


def _targets(state: State) -> list[str]:
    """Where a state leads; a final one leads nowhere."""
    return [] if state.final else [arrow.to for group in state.exits for arrow in group]


def _joins(arrows: Mapping[str, Iterable[str]], start: str) -> frozenset[str]:
    """The states into which several others lead; the start counts as one that leads into the first."""
    sources: dict[str, set[str]] = {start: {START}}
    for name, targets in arrows.items():
        for target in targets:
            sources.setdefault(target, set()).add(name)
    return frozenset(name for name, each in sources.items() if len(each) > 1)


def _reach(arrows: Mapping[str, Iterable[str]], order: Mapping[str, int]) -> dict[str, int]:
    """For each state those that can be reached from it, as a set of bits by declared place."""
    reach = dict.fromkeys(arrows, 0)
    for name in arrows:
        pending, found = list(arrows[name]), 0
        while pending:
            target = pending.pop()
            if not found >> order[target] & 1:
                found |= 1 << order[target]
                pending.extend(arrows[target])
        reach[name] = found
    return reach

"""Where templates stand in patterns of many agents, and which names they may read there."""

from __future__ import annotations

from collections.abc import Iterator

from weft.spec.model.base import Pointer
from weft.spec.model.swarm import Blackboard, Consensus, Debate, Gossip, Handoff, Judge, Vote
from weft.spec.scopes import Site

Swarm = Vote | Debate | Handoff | Blackboard | Gossip | Consensus
Texts = tuple[Pointer, str, frozenset[str]]
"""Where a template stands, the template, and the names that it may read beside the inputs."""

_BOARD = frozenset({"board", "rounds", "iteration"})
_ASKED: dict[type, frozenset[str]] = {
    Vote: frozenset({"rounds", "iteration", "member"}),
    Debate: frozenset({"rounds", "iteration", "member"}),
    Handoff: frozenset({"turns", "chain"}),
    Blackboard: _BOARD | {"member"},
    Gossip: frozenset({"rounds", "iteration", "member", "item"}),
    Consensus: frozenset({"ballots", "iteration", "item"}),
}
"""The names that members may be asked with."""

AT_THE_END: dict[type, frozenset[str]] = {
    Vote: frozenset({"rounds", "votes", "tally", "winner"}),
    Debate: frozenset({"rounds", "transcript", "agreed", "position"}),
    Handoff: frozenset({"turns", "handoffs", "answered_by"}),
    Blackboard: frozenset({"board", "rounds", "stable"}),
    Gossip: frozenset({"rounds", "facts", "converged"}),
    Consensus: frozenset({"ballots", "decision", "converged", "tally"}),
}
"""The names that artifacts may read after each pattern, beside ``last_response``."""


def swarm_sites(pattern: Swarm, base: Pointer) -> Iterator[Site]:
    """The places of `pattern`; the last one, without texts, is what artifacts see."""
    for pointer, text, names in _swarm_texts(pattern, base):
        yield Site(((pointer, text),), names)
    yield Site((), AT_THE_END[type(pattern)] | {"last_response"})


def _swarm_texts(pattern: Swarm, base: Pointer) -> Iterator[Texts]:
    names = _ASKED[type(pattern)]
    if pattern.config.input is not None:
        yield (*base, "input"), pattern.config.input, names
    yield from _members(pattern, base, names)
    if isinstance(pattern, (Vote, Debate)):
        yield from _judge(pattern.config.judge, base, AT_THE_END[type(pattern)] - {"winner"})
    elif isinstance(pattern, Blackboard):
        yield from _board(pattern, base)
    elif isinstance(pattern, Gossip):
        yield from _facts(pattern, base, names)


def _members(pattern: Swarm, base: Pointer, names: frozenset[str]) -> Iterator[Texts]:
    """What members are asked instead of what all are."""
    if isinstance(pattern, Blackboard):
        return
    entries = pattern.config.agents
    listed = entries.items() if isinstance(entries, dict) else enumerate(entries)
    for place, entry in listed:
        if not isinstance(entry, str) and entry.input is not None:
            yield (*base, "agents", place, "input"), entry.input, names


def _facts(pattern: Gossip, base: Pointer, names: frozenset[str]) -> Iterator[Texts]:
    for place, fact in enumerate(pattern.config.facts or ()):
        yield (*base, "facts", place), fact, frozenset()
    if pattern.config.believe is not None:
        yield (*base, "believe"), pattern.config.believe, names


def _judge(judge: Judge | None, base: Pointer, names: frozenset[str]) -> Iterator[Texts]:
    if judge is not None and judge.input is not None:
        yield (*base, "judge", "input"), judge.input, names


def _board(pattern: Blackboard, base: Pointer) -> Iterator[Texts]:
    for name, section in pattern.config.sections.items():
        yield (*base, "sections", name, "initial"), section.initial, frozenset()
    for place, writer in enumerate(pattern.config.agents):
        pointer: Pointer = (*base, "agents", place)
        if writer.input is not None:
            yield (*pointer, "input"), writer.input, _BOARD | {"member"}
        if writer.when is not None:
            yield (*pointer, "when"), f"{{{{ {writer.when} }}}}", _BOARD
    if pattern.config.until is not None:
        yield (*base, "until"), f"{{{{ {pattern.config.until} }}}}", _BOARD

"""What patterns of many agents can get wrong: names of members, quorums, judges and ways that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from weft.core.errors import Problem
from weft.spec.model.base import Pointer, walk
from weft.spec.model.swarm import (
    Blackboard,
    Consensus,
    Debate,
    Gossip,
    Handoff,
    Member,
    Vote,
    members,
)
from weft.spec.model.workflow import Workflow
from weft.spec.suggest import did_you_mean
from weft.spec.tree import Source


def swarm_problems(workflow: Workflow, source: Source) -> Iterator[Problem]:
    """Findings about the patterns of many agents in `workflow`, wherever they stand."""
    for pointer, pattern in walk(workflow.pattern, ("pattern",)):
        base = (*pointer, "config")
        if isinstance(pattern, (Vote, Debate, Gossip, Consensus)):
            yield from _crowd(pattern.config.agents, base, workflow, source)
        if isinstance(pattern, Vote):
            yield from _vote(pattern, base, source)
        elif isinstance(pattern, Debate) and _size(pattern.config.agents) < 2:
            yield source.problem("members", (*base, "agents"), "a debate needs two members", "add another agent")
        elif isinstance(pattern, Consensus):
            yield from _quorum(pattern.config.quorum, pattern.config.agents, base, source)
        elif isinstance(pattern, Handoff):
            yield from _handoff(pattern, base, workflow, source)
        elif isinstance(pattern, Blackboard):
            yield from _board(pattern, base, source)


def _crowd(crowd: Sequence[str | Member], base: Pointer, workflow: Workflow, source: Source) -> Iterator[Problem]:
    seen: set[str] = set()
    for place, (entry, one) in enumerate(zip(crowd, members(list(crowd)), strict=True)):
        pointer: Pointer = (*base, "agents", place)
        if isinstance(entry, str) and entry not in workflow.agents:
            fix = did_you_mean(entry, workflow.agents, noun="agents here")
            yield source.problem("unknown-agent", pointer, f"there is no agent {entry!r}", fix)
        if one.name in seen:
            yield source.problem("duplicate-id", pointer, f"{one.name!r} is here twice", "give each its own `id`")
        seen.add(one.name)


def _size(crowd: Sequence[str | Member]) -> int:
    return sum(one.count or 1 for one in members(list(crowd)))


def _vote(pattern: Vote, base: Pointer, source: Source) -> Iterator[Problem]:
    config = pattern.config
    if config.rule == "judge" and config.judge is None:
        yield source.problem(
            "judge", (*base, "rule"), "the rule 'judge' needs a judge", "add `judge: {agent: …}`, or choose a rule"
        )
    if config.quorum is not None and config.rule != "quorum":
        message = f"`quorum` has no meaning with the rule {config.rule!r}"
        yield source.problem("quorum", (*base, "quorum"), message, "write `rule: quorum`")
    elif config.quorum is not None and config.quorum > _size(config.agents):
        message = f"a quorum of {config.quorum} of {_size(config.agents)} cannot be reached"
        yield source.problem("quorum", (*base, "quorum"), message, f"at most {_size(config.agents)}")


def _quorum(quorum: int | None, crowd: Sequence[str | Member], base: Pointer, source: Source) -> Iterator[Problem]:
    size = _size(crowd)
    if quorum is not None and not size // 2 < quorum <= size:
        message = f"with a quorum of {quorum} of {size} "
        message += "two decisions could both be made" if quorum <= size // 2 else "nothing can be decided"
        yield source.problem("quorum", (*base, "quorum"), message, f"{size // 2 + 1} to {size}")


def _handoff(pattern: Handoff, base: Pointer, workflow: Workflow, source: Source) -> Iterator[Problem]:
    config = pattern.config
    desks = config.agents
    if config.start not in desks:
        fix = did_you_mean(config.start, desks, noun="agents in this pattern")
        yield source.problem("unknown-agent", (*base, "start"), f"{config.start!r} does not take part", fix)
    for name, desk in desks.items():
        if name not in workflow.agents:
            fix = did_you_mean(name, workflow.agents, noun="agents here")
            yield source.problem("unknown-agent", (*base, "agents", name), f"there is no agent {name!r}", fix)
        for place, to in enumerate(desk.to):
            pointer: Pointer = (*base, "agents", name, "to", place)
            if to == name:
                yield source.problem("handoff", pointer, f"{name!r} cannot hand over to itself", "take it out")
            elif to not in desks:
                fix = did_you_mean(to, desks, noun="agents in this pattern")
                yield source.problem("unknown-agent", pointer, f"{to!r} does not take part", fix)


def _board(pattern: Blackboard, base: Pointer, source: Source) -> Iterator[Problem]:
    sections = pattern.config.sections
    seen: set[str] = set()
    for place, writer in enumerate(pattern.config.agents):
        pointer: Pointer = (*base, "agents", place)
        if writer.name in seen:
            yield source.problem("duplicate-id", pointer, f"{writer.name!r} is here twice", "give each its own `id`")
        seen.add(writer.name)
        for spot, section in enumerate(writer.writes or ()):
            if section not in sections:
                fix = did_you_mean(section, sections, noun="sections")
                yield source.problem(
                    "unknown-section", (*pointer, "writes", spot), f"there is no section {section!r}", fix
                )

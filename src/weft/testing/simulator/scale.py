"""Workflows made larger: other numbers of members, and partitions in their networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from weft.core.errors import InputError
from weft.spec.model.base import Section, walk
from weft.spec.model.swarm import Member, Network, Partition
from weft.spec.model.workflow import Workflow


def scaled(workflow: Workflow, *, agents: int | None, partitions: Sequence[Partition]) -> Workflow:
    """`workflow` with `agents` members in all where it gives a number of them, and with these partitions.

    Raises:
        InputError: its patterns have no number of agents, or no network.
    """
    if agents is not None:
        counted = [part for _, part in walk(workflow.pattern) if isinstance(part, Member) and part.count is not None]
        if not counted:
            raise InputError(
                "no pattern of this workflow takes a number of agents",
                fix="give an entry of `agents` a `count`, as in {agent: voter, count: 5}, or leave out --agents",
            )
        if agents < len(counted):
            raise InputError(f"{agents} agents are too few", fix=f"give at least {len(counted)}")
        shares = [
            agents * (place + 1) // len(counted) - agents * place // len(counted) for place in range(len(counted))
        ]
        workflow = _copy(workflow, iter(shares), None)
    if partitions:
        if not any(isinstance(part, Network) for _, part in walk(workflow.pattern)):
            raise InputError(
                "no pattern of this workflow has peers that a partition could separate",
                fix="leave out --partition; `gossip` and `consensus` have peers",
            )
        workflow = _copy(workflow, None, list(partitions))
    return workflow


def _copy(value: Any, shares: Iterator[int] | None, partitions: list[Partition] | None) -> Any:
    """`value` with every section in it copied, in the order in which `walk` finds them."""
    if isinstance(value, list):
        return [_copy(item, shares, partitions) for item in value]
    if isinstance(value, dict):
        return {key: _copy(item, shares, partitions) for key, item in value.items()}
    if not isinstance(value, Section):
        return value
    changed: dict[str, Any] = {}
    if isinstance(value, Member) and value.count is not None and shares is not None:
        changed["count"] = next(shares)
    if isinstance(value, Network) and partitions is not None:
        changed["partitions"] = partitions
    for name in type(value).model_fields:
        if name not in changed:
            old = getattr(value, name)
            new = _copy(old, shares, partitions)
            if new != old:
                changed[name] = new
    return value.model_copy(update=changed) if changed else value

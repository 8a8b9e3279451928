"""The tools that a list of names means."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from weft.tools.port import Tool


def chosen(
    names: Iterable[str], available: Mapping[str, Tool], groups: Collection[str] = ()
) -> tuple[dict[str, Tool], list[str]]:
    """The tools that `names` mean, in order, and the names that mean none.

    A name is that of a tool; or of a group, for all its tools, however few; or ``group:tool``, with the name that the group's
    server has for it. `groups` are those that are known to exist.
    """
    found: dict[str, Tool] = {}
    missing: list[str] = []
    for name in names:
        meant = _meant(name, available)
        if not meant and name not in groups:
            missing.append(name)
        found |= meant
    return found, missing


def _meant(name: str, available: Mapping[str, Tool]) -> dict[str, Tool]:
    if name in available:
        return {name: available[name]}
    return {
        one: tool
        for one, tool in available.items()
        if tool.spec.group and name in {tool.spec.group, f"{tool.spec.group}:{tool.spec.origin}"}
    }

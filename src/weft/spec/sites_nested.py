"""Places with templates in patterns that stand in the place of a step: those of the pattern itself, which also see what is around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from weft.spec.model.base import Pointer, Section, walk
from weft.spec.model.flow import PatternStep
from weft.spec.model.workflow import Workflow
from weft.spec.scopes import Site
from weft.spec.sites import SITES
from weft.spec.sites_flow import FLOW_NAMES
from weft.spec.variables import items_within, names_within

_ANYWHERE = frozenset({"steps", "last_response", "hitl_response"})
"""What steps inside other steps fill, whatever steers them."""


def nested_sites(workflow: Workflow) -> Iterator[Site]:
    """Every such place. Of what is around a pattern, all that it fills at any time is visible."""
    given = (*names_within(workflow.pattern), *items_within(workflow.pattern))
    around: list[tuple[Pointer, frozenset[str]]] = [
        (("pattern",), _filled(workflow.pattern) | FLOW_NAMES | _ANYWHERE | frozenset(given))
    ]
    for pointer, section in walk(workflow.pattern, ("pattern",)):
        if not isinstance(section, PatternStep):
            continue
        spot = (*pointer, "pattern")
        while pointer[: len(around[-1][0])] != around[-1][0]:
            around.pop()
        names = around[-1][1]
        find = SITES.get(type(section.pattern))
        for site in find(section.pattern, (*spot, "config")) if find else ():
            if site.texts:
                yield replace(site, names=site.names | names)
        around.append((spot, names | _filled(section.pattern)))


def _filled(pattern: Section) -> frozenset[str]:
    """The names that a pattern fills: what can be read after it."""
    end = Site()
    if find := SITES.get(type(pattern)):
        *_, end = find(pattern, ())
    return end.names

"""What a template reads: the bare names, and the references whose keys are written out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import EllipsisType
from typing import Any

from jinja2 import nodes

from weft.spec.template import parse

Key = str | int | EllipsisType
"""A written-out key, or ``...`` for one that is computed."""


@dataclass(frozen=True, slots=True)
class Reads:
    """`names` are those a template takes from its scope; `paths` every use of one, as the name and the keys after it."""

    names: frozenset[str]
    paths: tuple[tuple[Key, ...], ...]

    def keys_of(self, name: str) -> Iterator[tuple[Key, ...]]:
        """The keys after each use of `name`."""
        return (path[1:] for path in self.paths if path[0] == name and name in self.names)


NOTHING = Reads(frozenset(), ())


@lru_cache(maxsize=1024)
def reads(template: str) -> Reads:
    """What `template` reads.

    Raises:
        TemplateError: it is not a template.
    """
    if "{{" not in template and "{%" not in template and "{#" not in template:
        return NOTHING
    tree, names = parse(template)
    return Reads(names - {"range"}, tuple(dict.fromkeys(_paths(tree))))


def reads_value(value: Any) -> Reads:
    """What all the templates inside a JSON value read.

    Raises:
        TemplateError: one of them is not a template.
    """
    if isinstance(value, str):
        return reads(value)
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    parts = [reads_value(item) for item in items]
    return Reads(
        frozenset().union(*(part.names for part in parts)), tuple(path for part in parts for path in part.paths)
    )


def _paths(node: nodes.Node) -> Iterator[tuple[Key, ...]]:
    keys: list[Key] = []
    inner: list[nodes.Node] = []
    here: nodes.Node = node
    while isinstance(here, (nodes.Getattr, nodes.Getitem)):
        keys.append(here.attr if isinstance(here, nodes.Getattr) else _key(here.arg))
        if isinstance(here, nodes.Getitem):
            inner.append(here.arg)
        here = here.node
    if isinstance(here, nodes.Name):
        yield (here.name, *reversed(keys))
    else:
        inner = [here] if here is not node else list(node.iter_child_nodes())
    for child in inner:
        yield from _paths(child)


def _key(argument: nodes.Node) -> Key:
    sign = 1
    if isinstance(argument, nodes.Neg):
        argument, sign = argument.node, -1
    if isinstance(argument, nodes.Const) and isinstance(argument.value, int):
        return sign * argument.value
    return argument.value if isinstance(argument, nodes.Const) and isinstance(argument.value, str) else ...

"""YAML text to a tree, event by event, so that depth, aliases, tags and keys are checked before anything is built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from weft.spec.scalars import CORE, plain, tagged
from weft.spec.tree import MAX_DEPTH, MAX_NODES, Branch, DocumentError, Entry, Leaf, List, Map, noted

_LOADER: Any = getattr(yaml, "CLoader", yaml.SafeLoader)
_MERGE = "<<"


def parse_yaml(text: str, faults: list[DocumentError] | None = None) -> Branch:
    """The one document in `text`. What is wrong with a single value or key is added to `faults`, where it is given.

    Raises:
        DocumentError: `text` is not YAML, or holds what this language refuses (other tags, duplicate keys, an alias
            inside itself, more than one document, too many or too deeply nested values).
    """
    try:
        return _Composer(yaml.parse(text, Loader=_LOADER), faults).document()
    except yaml.reader.ReaderError as error:
        raise DocumentError(
            "yaml",
            f"the character U+{_code(error):04X} is not allowed in YAML",
            "remove it, or write it as an escape",
            text.count("\n", 0, text.find(chr(_code(error)))) + 1,
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if mark and _tab_at(text, mark.line, mark.column):
            fix = "write spaces: YAML allows no tabs where a line is indented"
            raise DocumentError("yaml", "a tab stands here", fix, mark.line + 1, mark.column + 1) from None
        said = ", ".join(part for part in (error.problem, error.context) if part)
        raise DocumentError(
            "yaml",
            f"not valid YAML: {said}",
            "correct the syntax here; indentation and an unclosed quote are the usual causes",
            mark.line + 1 if mark else None,
            mark.column + 1 if mark else None,
        ) from None
    except yaml.YAMLError as error:
        raise DocumentError("yaml", f"not valid YAML: {error}", "correct the syntax") from None


def _tab_at(text: str, line: int, column: int) -> bool:
    """Whether the scanner stopped at a tab."""
    lines = text.splitlines()
    return line < len(lines) and lines[line][column : column + 1] == "\t"


def _code(error: Any) -> int:
    character = error.character
    return ord(character) if isinstance(character, str) else int(character)


class _Composer:
    def __init__(self, events: Iterator[Any], faults: list[DocumentError] | None) -> None:
        self._events = events
        self._faults = faults
        self._anchors: dict[str, Branch | None] = {}
        self._count = 0

    def document(self) -> Branch:
        event = self._next()
        while isinstance(event, (yaml.StreamStartEvent, yaml.DocumentStartEvent)):
            event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            raise DocumentError(
                "empty", "the document is empty", "write a workflow; `weft init` makes one to start from"
            )
        root = self._node(event, 0)
        self._next()
        rest = self._next()
        if not isinstance(rest, yaml.StreamEndEvent):
            self._note(_error(rest, "many-documents", "there is a second document here", "keep one document a file"))
        return root

    def _next(self) -> Any:
        return next(self._events)

    def _note(self, error: DocumentError) -> None:
        noted(error, self._faults)

    def _node(self, event: Any, depth: int) -> Branch:
        self._count += 1
        if self._count > MAX_NODES:
            raise _error(event, "too-large", f"more than {MAX_NODES:,} values", "split the document")
        if depth > MAX_DEPTH:
            raise _error(event, "too-deep", f"nested more than {MAX_DEPTH} levels deep", "nest less")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.anchor:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node: Branch = self._leaf(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._list(event, depth)
        else:
            node = self._map(event, depth)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any) -> Branch:
        node = self._anchors.get(event.anchor)
        if node is not None:
            return node
        name = event.anchor
        if name in self._anchors:
            self._note(_error(event, "alias", f"the alias *{name} stands inside its own anchor", "remove the alias"))
        else:
            self._note(_error(event, "alias", f"no anchor &{name} stands above", f"add &{name} to a value above"))
        return Leaf(None, *_at(event), broken=True)

    def _leaf(self, event: Any) -> Leaf:
        try:
            if event.tag and not event.implicit[0]:
                value = tagged(event.tag, event.value)
            else:
                value = plain(event.value) if event.implicit[0] else event.value
        except ValueError as error:
            self._note(_error(event, "scalar", str(error), "write the value as quoted text or as an ordinary number"))
            return Leaf(None, *_at(event), broken=True)
        return Leaf(value, *_at(event))

    def _check_tag(self, event: Any, kind: str) -> None:
        if event.tag and event.tag not in {"!", CORE + kind}:
            fix = "remove it; only YAML's core types are read"
            self._note(_error(event, "tag", f"the tag {event.tag} is not allowed", fix))

    def _list(self, event: Any, depth: int) -> List:
        self._check_tag(event, "seq")
        node = List(*_at(event))
        while not isinstance(inner := self._next(), yaml.SequenceEndEvent):
            node.items.append(self._node(inner, depth + 1))
        return node

    def _map(self, event: Any, depth: int) -> Map:
        self._check_tag(event, "map")
        node = Map(*_at(event))
        merged: list[Map] = []
        while not isinstance(key := self._next(), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                self._note(_error(key, "key", "a key must be plain text", "write the key as text"))
                self._node(key, depth + 1)
                self._node(self._next(), depth + 1)
                continue
            value = self._node(self._next(), depth + 1)
            if key.value == _MERGE and key.implicit[0]:
                merged += self._merge_sources(key, value)
            elif key.value in node.entries:
                first = node.entries[key.value].line
                message = f"the key {key.value!r} is here twice, first in line {first}"
                self._note(_error(key, "duplicate-key", message, "keep one of them"))
            else:
                node.entries[key.value] = Entry(key.value, *_at(key), value)
        for source in merged:
            self._count += len(source.entries)
            node.entries = {**source.entries, **node.entries}
        return node

    def _merge_sources(self, key: Any, value: Branch) -> list[Map]:
        """The maps behind a merge key, the one that wins last."""
        sources = value.items if isinstance(value, List) else [value]
        maps = [source for source in sources if isinstance(source, Map)]
        if any(not isinstance(source, Map) and not (isinstance(source, Leaf) and source.broken) for source in sources):
            message = "only a map, or a list of maps, can be merged with <<"
            self._note(_error(key, "merge", message, "point << at a map"))
        return maps


def _at(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _error(event: Any, rule: str, message: str, fix: str) -> DocumentError:
    return DocumentError(rule, message, fix, *_at(event))

"""What a workflow function is made of: its own code and all that it uses of what stands beside it, each piece with its hash.

White space and comments do not count. What is installed elsewhere does not count either: its version is not part of a run's plan.
"""

from __future__ import annotations

import ast
import hashlib
import io
import sys
import tokenize
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from weft.core.errors import LimitError

TEXT = "__weft_text__"
"""The name under which a module that was loaded from a named file keeps the text that it was made of."""
_SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}
_BLOCKS = {tokenize.INDENT: "<in>", tokenize.DEDENT: "<out>", tokenize.NEWLINE: "\n"}
_FSTRING = (getattr(tokenize, "FSTRING_START", -1), getattr(tokenize, "FSTRING_END", -1))
_PIECES = 10_000


@dataclass(slots=True)
class Made:
    """`parts` are hashes by ``file.py:name``, `values` what the names stand for that were met on the way."""

    parts: dict[str, str] = field(default_factory=dict)
    values: list[Any] = field(default_factory=list)


class _Text:
    """The text of one module, by the names that its statements bind."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.file = Path(str(module.__file__)).resolve()
        known = getattr(module, TEXT, None)
        self.text: str = known if isinstance(known, str) else self.file.read_text(encoding="utf-8-sig")

    @cached_property
    def statements(self) -> Mapping[str, list[ast.stmt]]:
        """The statements of the module that bind each name."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in ast.parse(self.text).body:
            for name in dict.fromkeys(_bound(statement)):
                found.setdefault(name, []).append(statement)
        return found

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.splitlines(keepends=True)

    def hash_of(self, statements: list[ast.stmt]) -> str:
        """The hash of the code of `statements`."""
        digest = hashlib.sha256()
        for statement in statements:
            decorators = getattr(statement, "decorator_list", [])
            first = min((statement.lineno, *(each.lineno for each in decorators)))
            digest.update("\0".join(_tokens("".join(self._lines[first - 1 : statement.end_lineno]))).encode())
        return digest.hexdigest()


def made_of(function: Callable[..., Any], folder: Path) -> Made:
    """Everything below `folder` that `function` is made of. It must stand at the top level of its module.

    Raises:
        LimitError: it is made of too many pieces.
    """
    return _Gathering(folder.resolve()).gather(sys.modules[function.__module__], function.__name__)


class _Gathering:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = Made()
        self._texts: dict[str, _Text] = {}
        self._seen: set[tuple[str, str]] = set()

    def gather(self, module: ModuleType, name: str) -> Made:
        todo = [(module, name)]
        while todo:
            module, name = todo.pop()
            if (module.__name__, name) in self._seen:
                continue
            self._seen.add((module.__name__, name))
            if len(self._seen) > _PIECES:
                raise LimitError(f"the function uses more than {_PIECES:,} names", fix="put less beside it")
            todo.extend(self._take(module, name))
        self._made.parts = dict(sorted(self._made.parts.items()))
        return self._made

    def _take(self, module: ModuleType, name: str) -> Iterator[tuple[ModuleType, str]]:
        """Take in one name of a module; what it uses."""
        text = self._texts.setdefault(module.__name__, _Text(module))
        statements = text.statements.get(name, [])
        own = [one for one in statements if not isinstance(one, (ast.Import, ast.ImportFrom))]
        if name in vars(module):
            self._made.values.append(vars(module)[name])
        for statement in statements:
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                yield from self._imported(module, statement, name)
        if own:
            where = text.file.relative_to(self._folder).as_posix()
            self._made.parts[f"{where}:{name}"] = text.hash_of(own)
        for statement in own:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and node.id in text.statements:
                    yield module, node.id

    def _imported(
        self, module: ModuleType, statement: ast.Import | ast.ImportFrom, name: str
    ) -> Iterator[tuple[ModuleType, str]]:
        for alias in statement.names:
            if isinstance(statement, ast.Import):
                if (alias.asname or alias.name.partition(".")[0]) == name:
                    yield from self._whole(sys.modules.get(alias.name))
                continue
            if (alias.asname or alias.name) != name:
                continue
            source = _source(module, statement)
            inside = sys.modules.get(f"{source.__name__}.{alias.name}") if source is not None else None
            if inside is not None and alias.name not in self._names(source):
                yield from self._whole(inside)
            elif source is not None and self._is_near(source):
                yield source, alias.name

    def _whole(self, module: ModuleType | None) -> Iterator[tuple[ModuleType, str]]:
        """Every name of a module that stands beside the function."""
        if module is not None and self._is_near(module):
            for name in self._names(module):
                yield module, name

    def _names(self, module: ModuleType | None) -> Mapping[str, Any]:
        if module is None or not self._is_near(module):
            return {}
        return self._texts.setdefault(module.__name__, _Text(module)).statements

    def _is_near(self, module: ModuleType) -> bool:
        file = getattr(module, "__file__", None)
        if not file or not str(file).endswith(".py"):
            return False
        path = Path(file).resolve()
        return path.is_relative_to(self._folder) and not {"site-packages", ".venv"} & set(path.parts)


def _source(module: ModuleType, statement: ast.ImportFrom) -> ModuleType | None:
    if not statement.level:
        return sys.modules.get(statement.module or "")
    package = (module.__package__ or "").split(".")
    kept = package[: len(package) - statement.level + 1]
    return sys.modules.get(".".join([*kept, *([statement.module] if statement.module else [])]))


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement of a module binds."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        for alias in statement.names:
            yield alias.asname or (alias.name.partition(".")[0] if isinstance(statement, ast.Import) else alias.name)
    else:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield node.name
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                yield from _bound(node)


def _tokens(text: str) -> Iterator[str]:
    """The tokens of code, the same in every version of Python: an f-string is one of them."""
    lines = text.splitlines(keepends=True)
    depth, start = 0, (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == _FSTRING[0]:
            start = token.start if not depth else start
            depth += 1
        elif depth and token.type == _FSTRING[1]:
            depth -= 1
            if not depth:
                yield _span(lines, start, token.end)
        elif not depth and token.type not in _SILENT:
            yield _BLOCKS.get(token.type, token.string)


def _span(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    middle = lines[start[0] : end[0] - 1]
    return "".join([lines[start[0] - 1][start[1] :], *middle, lines[end[0] - 1][: end[1]]])

"""What a document brings along from files beside it besides agents and schemas: skills, and functions in files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from weft.core.errors import Problem
from weft.spec.model.base import Pointer
from weft.spec.model.context import Skill
from weft.spec.model.tools import PythonTool
from weft.spec.model.workflow import Workflow
from weft.spec.reads import noted
from weft.spec.refs import bounds_of
from weft.spec.support import is_file_callable
from weft.spec.tree import DocumentError, Source, plain_data
from weft.spec.yaml_tree import parse_yaml

MAIN = ("SKILL.md", "README.md")
"""The files that may hold the instructions of a skill itself; the first one that is there does."""
_FILES = 100
_FILE_BYTES = 256 * 1024
_ALL_BYTES = 1024 * 1024
_DEPTH = 4
_FENCE = "---"


def attach(workflow: Workflow, source: Source, folder: Path) -> tuple[Workflow, list[Problem]]:
    """`workflow` with the texts of its skills in it and the files of its functions named from the root, and what is wrong there."""
    problems: list[Problem] = []
    skills = []
    for place, skill in enumerate(workflow.skills):
        spot: Pointer = ("skills", place)
        try:
            skills.append(_skill(skill, folder))
        except DocumentError as error:
            where = (*spot, "path") if skill.path is not None else spot
            problems.append(source.problem("skill", where, error.message, error.fix))
    changes: dict[str, Any] = {"skills": skills} if workflow.skills else {}
    if any(is_file_callable(tool.callable) for tool in workflow.tools.python_tools()):
        python = [_named(entry, folder) for entry in workflow.tools.python]
        changes["tools"] = workflow.tools.model_copy(update={"python": python})
    return workflow.model_copy(update=changes) if changes and not problems else workflow, problems


def front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The map between the two ``---`` at the beginning of a text, and the rest of it.

    Raises:
        DocumentError: it is no map.
    """
    lines = text.splitlines(keepends=True)
    if not lines or lines[0].rstrip() != _FENCE:
        return {}, text
    end = next((place for place, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE), None)
    if end is None:
        return {}, text
    found = plain_data(parse_yaml("".join(lines[1:end])))
    if not isinstance(found, dict):
        raise DocumentError("skill", "its front matter is no map", "write `description: …` between the two ---")
    return found, "".join(lines[end + 1 :]).lstrip("\n")


def _named(entry: str | PythonTool, folder: Path) -> str | PythonTool:
    target = entry if isinstance(entry, str) else entry.callable
    if not is_file_callable(target):
        return entry
    file, _, function = target.rpartition(":")
    named = f"{os.path.normpath(folder.absolute() / file)}:{function}"
    return named if isinstance(entry, str) else entry.model_copy(update={"callable": named})


def _skill(skill: Skill, folder: Path) -> Skill:
    if (skill.path is None) == (not skill.files):
        raise DocumentError("skill", f"the skill {skill.id!r} needs a path or files", "write one of them")
    files = dict(skill.files) if skill.path is None else _read(skill.path, folder)
    main = next((name for name in MAIN if name in files), None)
    if main is None:
        raise DocumentError("skill", f"the skill {skill.id!r} has no {' and no '.join(MAIN)}", f"write a {MAIN[0]}")
    about, files[main] = front_matter(files[main])
    said = about.get("description")
    return skill.model_copy(
        update={"files": files, "description": skill.description or (said if isinstance(said, str) else "")}
    )


def _read(path: str, folder: Path) -> dict[str, str]:
    bounds = bounds_of(folder)
    if len(path) > 1000 or PurePosixPath(path).is_absolute() or "\x00" in path:
        raise DocumentError("skill", "the path of a skill is relative", "write it relative to this file")
    root = (folder / path).resolve()
    if not root.is_relative_to(bounds):
        raise DocumentError(
            "skill", f"{path!r} leaves the project folder {bounds}", "keep the skill inside the project"
        )
    if not root.is_dir():
        raise DocumentError("skill", f"there is no folder {path!r}", "check the path")
    files: dict[str, str] = {}
    total = 0
    for name, file in _texts(root):
        text = _text(name, file)
        total += len(text)
        if len(files) >= _FILES or total > _ALL_BYTES:
            limit = f"more than {_FILES} files or {_ALL_BYTES // 1024} KiB"
            raise DocumentError("skill", f"{path!r} holds {limit} of instructions", "make several skills of it")
        files[name] = text
    return files


def _texts(root: Path) -> Iterator[tuple[str, Path]]:
    """The Markdown files of a skill by their names in it; links, which could lead out, and hidden files are left out."""
    for top, folders, names in os.walk(root, followlinks=False):
        here = Path(top)
        noted(here)
        depth = len(here.relative_to(root).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < _DEPTH else []
        for name in sorted(names):
            file = here / name
            if name.endswith(".md") and not name.startswith(".") and file.is_file() and not file.is_symlink():
                yield file.relative_to(root).as_posix(), file


def _text(name: str, file: Path) -> str:
    noted(file)
    try:
        with file.open("rb") as stream:
            data = stream.read(_FILE_BYTES + 1)
        if len(data) > _FILE_BYTES:
            raise DocumentError("skill", f"{name!r} is larger than {_FILE_BYTES // 1024} KiB", "split it into modules")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DocumentError("skill", f"{name!r} is not UTF-8", "save it as UTF-8") from None
    except OSError as error:
        raise DocumentError(
            "skill", f"{name!r} cannot be read: {error.strerror}", "check that you may read it"
        ) from None

"""Python files that a user names: loading them, and finding what is meant in them. Loading one runs it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import itertools
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from weft.core.errors import Place, Problem, SpecError
from weft.python.build.document import Document
from weft.python.code import TEXT
from weft.python.naming import Named
from weft.python.workflows import WorkflowFunction
from weft.spec.files import read_text
from weft.spec.suggest import did_you_mean

_LOADS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A module, and the files that it came from with when they were written and how long they are."""

    module: ModuleType
    files: Mapping[Path, tuple[int, int]]

    def is_current(self) -> bool:
        """Whether the files are still the same."""
        return all(_written(file) == written for file, written in self.files.items())


class Files:
    """The Python files that were loaded for one application; one is loaded again when it, or what it imports from beside it, has changed."""

    def __init__(self) -> None:
        self._modules: dict[Path, _Loaded] = {}

    def find(self, target: Named) -> WorkflowFunction[..., Any] | Document:
        """The workflow that `target` names.

        Raises:
            SpecError: the file cannot be loaded, or there is no such workflow in it.
        """
        module = self.module(target.file)
        found = vars(module).get(target.name) if target.name else None
        if isinstance(found, (WorkflowFunction, Document)):
            return found
        place = Place(file=str(target.file))
        workflows = [name for name, value in vars(module).items() if isinstance(value, (WorkflowFunction, Document))]
        fix = did_you_mean(target.name, workflows, noun="workflows in it") if target.name else ""
        if not target.name:
            shown = ", ".join(f"{target.file}:{name}" for name in workflows) or "it has none"
            raise _error(place, f"which workflow in {target.file} is meant?", f"name it: {shown}")
        if found is not None:
            what = f"{target.name!r} in {target.file} is a {type(found).__name__}, not a workflow"
            raise _error(place, what, fix if workflows else "write `@weft.workflow` above the function")
        raise _error(place, f"{target.file} has no {target.name!r}", fix)

    def module(self, file: Path) -> ModuleType:
        """The module of a file.

        Raises:
            SpecError: there is no such file, or it cannot be loaded; the place says where.
        """
        path = file.resolve()
        known = self._modules.get(path)
        if known is not None and known.is_current():
            return known.module
        text = read_text(file)
        for name in _near(path.parent) if known is not None else ():
            del sys.modules[name]
        package = _package(path.parent)
        name = f"{package}.{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None, "the name of the file ends in .py"
        module = importlib.util.module_from_spec(spec)
        setattr(module, TEXT, text)
        sys.modules[name] = module
        if str(path.parent) not in sys.path:
            # At the end, so that a file beside this one can stand in for no module of the library.
            sys.path.append(str(path.parent))
        try:
            exec(compile(text, str(path), "exec", dont_inherit=True), vars(module))  # noqa: S102 -- the user has named it
        except SyntaxError as error:
            del sys.modules[name]
            place = Place(file=str(error.filename or file), line=error.lineno, column=error.offset)
            raise _error(place, f"{file} cannot be read: {error.msg}", "correct the line") from error
        except (Exception, SystemExit) as error:  # importing runs the user's code
            del sys.modules[name]
            raise _failed(file, path, error) from error
        beside = [*_near(path.parent), *(each for each in sys.modules if each.startswith(f"{package}."))]
        sources = {Path(str(sys.modules[each].__file__)) for each in beside} | {path}
        self._modules[path] = _Loaded(module, {each: _written(each) for each in sources})
        return module


def _package(folder: Path) -> str:
    """A new package as which a folder is loaded, so that ``from .beside import it`` works."""
    name = f"weft_files_{next(_LOADS)}"
    spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
    package = sys.modules[name] = importlib.util.module_from_spec(spec)
    package.__path__ = [str(folder)]
    return name


def _near(folder: Path) -> list[str]:
    """The modules that were imported by their names from `folder`."""
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name.partition(".")[0] == Path(file).stem and Path(file).parent == folder:
            found.append(name)
    return [name for name in found if name != "__main__"]


def _written(file: Path) -> tuple[int, int]:
    try:
        about = file.stat()
    except OSError:
        return (0, 0)
    return about.st_mtime_ns, about.st_size


def _failed(file: Path, path: Path, error: BaseException) -> SpecError:
    """The error of a file that raised while it was loaded, with the place in it."""
    if isinstance(error, SpecError) and error.problems:
        return error
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    place = Place(file=str(file), line=frames[-1].lineno if frames else None)
    if isinstance(error, SpecError):
        return _error(place, error.message, error.fix)
    return _error(place, f"{file} cannot be loaded: {type(error).__name__}: {error}", "correct the file")


def _error(place: Place, message: str, fix: str) -> SpecError:
    problem = Problem(rule="python", message=message, fix=fix, place=place)
    return SpecError(message, fix=fix, place=place, problems=(problem,))

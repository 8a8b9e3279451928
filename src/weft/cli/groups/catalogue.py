"""``weft explain``, ``weft list-supported`` and ``weft list-tools``: what can be run, and what keeps a file from it."""

from __future__ import annotations

import sys

from weft.app.catalogue import Catalogue, catalogue
from weft.app.local import LocalService
from weft.cli.options import AsJson, File
from weft.cli.render.problems import problem_lines
from weft.cli.terminal import clean, say, say_json
from weft.core.errors import UnsupportedError


def list_supported(as_json: AsJson = False) -> None:
    """List what this version runs: patterns, providers, sources of secrets, presets."""
    known = catalogue()
    groups = {
        "patterns": known.patterns,
        "providers": known.providers,
        "secrets": known.secrets,
        "presets": known.presets,
    }
    if as_json:
        say_json(groups)
        return
    for title, names in groups.items():
        say(f"{title}: {', '.join(names)}")


def list_tools(as_json: AsJson = False) -> None:
    """List the built-in tools, with their arguments and effects."""
    known: Catalogue = catalogue()
    if as_json:
        say_json({"tools": [tool.as_json() for tool in known.tools]})
        return
    for tool in known.tools:
        arguments = ", ".join(name if needed else f"{name}?" for name, needed in tool.arguments.items())
        say(f"{tool.name}({arguments})  [{tool.effect}]{'' if tool.allowed else '  off: see tools.python_exec'}")
        say(f"    {tool.summary}")


def explain(file: File, as_json: AsJson = False) -> int:
    """Say of a workflow file what this version runs of it, and what to change about the rest. Never a failure by itself."""
    try:
        problems, runs = list(LocalService().check(file).problems), True
    except UnsupportedError as error:
        problems, runs = list(error.problems), False
    runs = runs and all(problem.severity != "error" for problem in problems)
    if as_json:
        say_json({"file": str(file), "runs": runs, "problems": [problem.as_json() for problem in problems]})
        return 0
    for problem in problems:
        for line in problem_lines(problem, sys.stdout):
            say(line)
    say(f"{clean(str(file))} {'can be run' if runs else 'cannot be run yet: change what stands above'}.")
    return 0

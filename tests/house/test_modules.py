"""Sizes and names: what keeps a module readable in one sitting."""

import ast
import re

GRAB_BAGS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "stuff", "shared"}
LONGEST_MODULE = 400
LONGEST_FUNCTION = 60
MOST_PARAMETERS = 7
MANY_PARAMETERS = {
    "weft/engine/port.py:step": "the one door for performing a step; all but two are keywords with defaults",
    "weft/engine/context.py:step": "the same door, from inside",
    "weft/python/agents.py:agent": "what is said of an agent; all keywords with defaults",
    "weft/python/asking.py:gate": "what a question may have; all but one are keywords with defaults",
    "weft/engine/local.py:start": "what a run is made of; all but two are keywords with defaults",
    "weft/engine/local.py:__init__": "what an engine is made of; all but two are keywords with defaults",
}
MIGRATIONS = "/migrations/versions/"
WRITTEN = (".py", ".md", ".yaml", ".yml", ".toml", ".sh", "")
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")


def functions(module):
    return [node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def parameters(function) -> int:
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def test_no_module_is_a_grab_bag(modules):
    parts = {part.removesuffix(".py").strip("_") for module in modules for part in module.name.split("/")}
    assert not parts & GRAB_BAGS


def test_modules_are_short(modules):
    assert [m.name for m in modules if m.text.count("\n") > LONGEST_MODULE] == []


def test_functions_are_short(modules):
    long = [
        f"{module.name}:{function.name} has {length} lines"
        for module in modules
        if MIGRATIONS not in module.name  # a migration is a list of tables
        for function in functions(module)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > LONGEST_FUNCTION
    ]
    assert long == []


def test_functions_take_few_parameters(modules):
    walls = {
        f"{module.name}:{function.name}"
        for module in modules
        if module.room != "cli"
        for function in functions(module)
        if parameters(function) > MOST_PARAMETERS
    }
    assert walls - MANY_PARAMETERS.keys() == set()
    listed = {name for name in MANY_PARAMETERS if name.partition(":")[0] in {module.name for module in modules}}
    assert listed - walls == set(), "shrink the list: these are no longer needed"


def test_nothing_is_left_unfinished(root):
    folders = [root / name for name in ("src", "tests", "scripts", "benchmarks", "examples", "docs", ".github")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix in WRITTEN]
    marked = [str(path.relative_to(root)) for path in files if UNFINISHED.search(path.read_text(encoding="utf-8"))]
    assert marked == []

"""What import-linter cannot see: imports inside functions, and what the interpreter takes from the standard library."""

import ast

DEFERRED = {
    "weft/__init__.py": "the registry of promised names",
    "weft/agents/remote/__init__.py": "asking remote agents is optional, and so is the package of their protocol",
    "weft/app/documents.py": "prices are loaded for files with a budget in money",
    "weft/app/local.py": "names for types alone, of parts that the registry loads",
    "weft/app/noted.py": "names for types alone, of parts that the registry loads",
    "weft/app/parts.py": "the registry of what a service is made of",
    "weft/app/service.py": "names for types alone, of parts that the registry loads",
    "weft/cli/commands.py": "the table of commands",
    "weft/core/patterns.py": "the matcher is loaded for files that have a pattern",
    "weft/models/prices.py": "the price list is large and not every process asks for a price",
    "weft/models/registry.py": "the registry of providers, each an optional dependency",
    "weft/spec/lint_automation.py": "time zones and cron are loaded for files that say when they run",
    "weft/spec/lint_schemas.py": "schemas are checked only in files that have some",
    "weft/store/opening.py": "the driver of Postgres is optional",
    "weft/store/schema.py": "migrations are loaded when a database is created or upgraded",
    "weft/telemetry/export.py": "exporting is optional, and so is its package",
    "weft/telemetry/metrics.py": "same",
    "weft/tools/function.py": "a function that a workflow names",
    "weft/tools/registry.py": "the registry of built-in tools",
}
"""Modules that may import inside a function or for types alone, each with its reason: registries, and what is heavy and optional."""

INTERPRETER = ("weft/engine/interpreter.py", "weft/engine/fanout.py", "weft/engine/tasks.py", "weft/engine/walk/")
OURS_FOR_INTERPRETER = (
    "weft.core", "weft.plan", "weft.engine.port", "weft.engine.interpreter", "weft.engine.fanout", "weft.engine.tasks",
    "weft.engine.walk",
)  # fmt: skip
NOT_DETERMINISTIC = {
    "concurrent", "datetime", "glob", "http", "io", "locale", "multiprocessing", "os", "pathlib", "platform", "queue",
    "random", "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile",
    "threading", "time", "urllib", "uuid", "weakref",
}  # fmt: skip
RACY_CALLS = {"asyncio.wait", "asyncio.as_completed"}
"""They iterate over sets, in the order of hashes."""


def imported(node) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{'.' * node.level}{node.module or ''}"]
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return ["a computed name"] if name in ("import_module", "__import__") else []
    return []


def deferred(module) -> list[str]:
    bodies = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    inside = {
        name
        for node in ast.walk(module.tree)
        if isinstance(node, bodies)
        for sub in ast.walk(node)
        for name in imported(sub)
    }
    guarded = {
        name
        for node in ast.walk(module.tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for sub in ast.walk(node)
        for name in imported(sub)
    }
    return sorted(inside | guarded)


def test_imports_stand_at_the_top_except_where_listed(modules):
    found = {module.name: names for module in modules if (names := deferred(module))}
    assert {name: names for name, names in found.items() if name not in DEFERRED} == {}
    here = {module.name for module in modules}
    assert (DEFERRED.keys() & here) - found.keys() == set(), "shrink the list: these no longer defer anything"


def test_imports_of_ours_are_absolute(modules):
    relative = [m.name for m in modules for node in ast.walk(m.tree) if isinstance(node, ast.ImportFrom) and node.level]
    assert relative == []


def impurities(tree: ast.Module) -> list[str]:
    wrong = []
    for node in ast.walk(tree):
        names = imported(node)
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            ours = name.startswith("weft") and not any(
                name == prefix or name.startswith(prefix + ".") for prefix in OURS_FOR_INTERPRETER
            )
            if ours or name.split(".")[0] in NOT_DETERMINISTIC or name == "a computed name" or name in RACY_CALLS:
                wrong.append(name)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in RACY_CALLS:
            wrong.append(ast.unparse(node))
        if isinstance(node, ast.Global):
            wrong.append("global state")
    return wrong


def test_the_interpreter_takes_nothing_that_could_differ_between_two_walks(modules):
    walkers = [module for module in modules if module.name.startswith(INTERPRETER)]
    assert {module.name: wrong for module in walkers if (wrong := impurities(module.tree))} == {}


def test_the_purity_check_sees_each_kind_of_impurity():
    source = "import time\nfrom random import choice\nfrom weft.store import runs\nimport asyncio\nasyncio.wait([])\ndef f():\n    global x\n"
    expected = {"time", "random.choice", "weft.store.runs", "asyncio.wait", "global state"}
    assert set(impurities(ast.parse(source))) == expected
    assert (
        impurities(
            ast.parse("from weft.engine.port import Success\nfrom weft.plan.nodes import Call\nimport asyncio\n")
        )
        == []
    )

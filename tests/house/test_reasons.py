"""What a checker is told to let through, and what catches everything, has its reason beside it."""

import ast
import re

NOQA = re.compile(r"# (?:ruff: )?noqa\b(?!: [A-Z0-9, ]+ -- \S)")
IGNORED = re.compile(r"# type: ignore(?!\[[a-z, -]+\]  # \S)")
EVERYTHING = {"Exception", "BaseException"}


def test_what_a_checker_lets_through_says_why(modules):
    found = [
        f"{module.name}:{number}"
        for module in modules
        for number, line in enumerate(module.text.splitlines(), 1)
        if NOQA.search(line) or IGNORED.search(line) or "# nosec" in line
    ]
    assert found == []


def passes_on(handler: ast.ExceptHandler) -> bool:
    """Whether it ends by raising what it caught."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_what_catches_everything_says_why_or_passes_it_on(modules):
    found = []
    for module in modules:
        lines = module.text.splitlines()
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            names = {one.id for one in ast.walk(node.type) if isinstance(one, ast.Name)} if node.type else EVERYTHING
            said = "#" in lines[node.lineno - 1] or lines[node.lineno].lstrip().startswith("#")
            if names & EVERYTHING and not said and not passes_on(node):
                found.append(f"{module.name}:{node.lineno}")
    assert found == []

"""Every error reads alike: what happened and what to do, each begun in small letters and without a full stop at the end."""

import ast
import re

CAPITAL = re.compile(r"[A-Z][a-z]")
STOP = re.compile(r"(?<!\.)\.\s*\Z")
WORDS = ("message", "fix")


def texts(call: ast.Call):
    """The texts that a call which makes an error or a problem gives it."""
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name.endswith("Error") or name in {"Problem", "problem", "Refused"}:
        yield from call.args
        yield from (keyword.value for keyword in call.keywords if keyword.arg in WORDS)


def ends(node: ast.expr) -> tuple[str, str]:
    """How a text begins and how it ends, as far as it is written out."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    plain = [part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "" for part in parts]
    return (plain[0], plain[-1]) if plain else ("", "")


def wrong(tree: ast.AST) -> list[str]:
    found = []
    for call in ast.walk(tree):
        for text in texts(call) if isinstance(call, ast.Call) else ():
            first, last = ends(text)
            if CAPITAL.match(first) or STOP.search(last):
                found.append(f"line {text.lineno}: {ast.unparse(text)}")
    return found


def test_messages_and_fixes_begin_small_and_end_without_a_full_stop(modules):
    assert {module.name: found for module in modules if (found := wrong(module.tree))} == {}


def test_the_check_sees_capitals_and_full_stops_and_spares_names():
    source = 'ToolError("The disk is full", fix=f"free {some}.")\nToolError("SQLite is old…", fix="use {x}")'
    assert len(wrong(ast.parse(source))) == 2

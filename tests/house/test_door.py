"""The package's one curated door."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import weft
from weft.core import errors

EXPORTS: tuple[str, ...] = (
    "AsyncClient",
    "AuthError",
    "BudgetError",
    "Checked",
    "Client",
    "ConflictError",
    "Decision",
    "InputError",
    "InternalError",
    "LimitError",
    "LocalService",
    "MismatchError",
    "ModelChoice",
    "NotFoundError",
    "Place",
    "PolicyError",
    "Problem",
    "ProgramError",
    "ProviderError",
    "RateLimitError",
    "Received",
    "RejectedError",
    "RunRequest",
    "RunResult",
    "Settings",
    "SpecError",
    "StepTimeoutError",
    "StorageError",
    "TemplateError",
    "ToolError",
    "TransientError",
    "UnsupportedError",
    "WeftError",
    "__version__",
    "agent",
    "build",
    "gate",
    "load_settings",
    "now",
    "random",
    "signal",
    "sleep",
    "step",
    "tool",
    "within",
    "workflow",
)
"""Adding a name here is a promise to users: it stays, or goes with a notice in the changelog."""


def test_the_package_exports_exactly_what_is_promised():
    assert tuple(sorted(weft.__all__)) == EXPORTS
    assert tuple(dir(weft)) == EXPORTS


@pytest.mark.parametrize("name", EXPORTS)
def test_every_promised_name_is_there(name):
    assert getattr(weft, name).__doc__ or name == "__version__"


def test_every_error_of_the_family_is_promised():
    family = {name for name in vars(errors) if name.endswith("Error")}
    assert family - set(EXPORTS) == set()


def test_type_checkers_see_the_same_names_in_the_same_places():
    tree = ast.parse(Path(weft.__file__).read_text(encoding="utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If)).body
    assert {alias.name: node.module for node in guarded for alias in node.names} == weft._HOMES


def test_a_name_that_is_not_there_says_so():
    with pytest.raises(AttributeError, match="'weft' has no attribute 'Enigne'"):
        _ = weft.Enigne


def test_importing_the_package_loads_nothing_of_it():
    code = "import sys, weft; print([name for name in sys.modules if name.startswith(('weft.', 'pydantic', 'sqlalchemy'))])"
    folder = str(Path(weft.__file__).parents[1])
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": folder}, timeout=60
    )
    assert said.stdout.strip() == "[]"

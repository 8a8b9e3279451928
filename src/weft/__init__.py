"""Weft: durable workflows of agents, tools and people.

This is the one door for programs: everything in `__all__` is promised, everything else may move between versions. A name is
loaded when it is first used, so that ``import weft`` costs nothing.

    service = weft.LocalService()
    run_id = await service.start(weft.RunRequest(file=Path("flow.yaml"), variables={"topic": "looms"}))
    result = await service.drive(run_id)
    await service.close()
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names for type checkers and editors, which do not look into the table
    from weft.app.local import LocalService as LocalService
    from weft.app.service import Checked as Checked
    from weft.app.service import ModelChoice as ModelChoice
    from weft.app.service import RunRequest as RunRequest
    from weft.client.connection import AsyncClient as AsyncClient
    from weft.client.connection import Client as Client
    from weft.core.errors import AuthError as AuthError
    from weft.core.errors import BudgetError as BudgetError
    from weft.core.errors import ConflictError as ConflictError
    from weft.core.errors import InputError as InputError
    from weft.core.errors import InternalError as InternalError
    from weft.core.errors import LimitError as LimitError
    from weft.core.errors import MismatchError as MismatchError
    from weft.core.errors import NotFoundError as NotFoundError
    from weft.core.errors import Place as Place
    from weft.core.errors import PolicyError as PolicyError
    from weft.core.errors import Problem as Problem
    from weft.core.errors import ProgramError as ProgramError
    from weft.core.errors import ProviderError as ProviderError
    from weft.core.errors import RateLimitError as RateLimitError
    from weft.core.errors import RejectedError as RejectedError
    from weft.core.errors import SpecError as SpecError
    from weft.core.errors import StepTimeoutError as StepTimeoutError
    from weft.core.errors import StorageError as StorageError
    from weft.core.errors import TemplateError as TemplateError
    from weft.core.errors import ToolError as ToolError
    from weft.core.errors import TransientError as TransientError
    from weft.core.errors import UnsupportedError as UnsupportedError
    from weft.core.errors import WeftError as WeftError
    from weft.core.settings import load_settings as load_settings
    from weft.core.settings_model import Settings as Settings
    from weft.engine.ending import RunResult as RunResult
    from weft.python import build as build
    from weft.python.agents import agent as agent
    from weft.python.asking import Decision as Decision
    from weft.python.asking import Received as Received
    from weft.python.asking import gate as gate
    from weft.python.asking import now as now
    from weft.python.asking import random as random
    from weft.python.asking import signal as signal
    from weft.python.asking import sleep as sleep
    from weft.python.asking import step as step
    from weft.python.asking import within as within
    from weft.python.tools import tool as tool
    from weft.python.workflows import workflow as workflow

__version__ = "0.1.0"

_ROOMS: Mapping[str, tuple[str, ...]] = {
    "weft.app.local": ("LocalService",),
    "weft.app.service": ("Checked", "ModelChoice", "RunRequest"),
    "weft.client.connection": ("AsyncClient", "Client"),
    "weft.core.errors": (
        "AuthError",
        "BudgetError",
        "ConflictError",
        "InputError",
        "InternalError",
        "LimitError",
        "MismatchError",
        "NotFoundError",
        "Place",
        "PolicyError",
        "Problem",
        "ProgramError",
        "ProviderError",
        "RateLimitError",
        "RejectedError",
        "SpecError",
        "StepTimeoutError",
        "StorageError",
        "TemplateError",
        "ToolError",
        "TransientError",
        "UnsupportedError",
        "WeftError",
    ),
    "weft.core.settings": ("load_settings",),
    "weft.core.settings_model": ("Settings",),
    "weft.engine.ending": ("RunResult",),
    "weft.python": ("build",),
    "weft.python.agents": ("agent",),
    "weft.python.asking": (
        "Decision",
        "Received",
        "gate",
        "now",
        "random",
        "signal",
        "sleep",
        "step",
        "within",
    ),
    "weft.python.tools": ("tool",),
    "weft.python.workflows": ("workflow",),
}

_HOMES = {name: room for room, names in _ROOMS.items() for name in names}
"""Each promised name, and the module that it comes from."""

__all__ = ("__version__", *_HOMES)  # noqa: PLE0604 -- names, all of them, from the table


def __getattr__(name: str) -> Any:
    """The promised name, loaded now."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(_HOMES[name])
    found = getattr(home, name, None)
    # A name may be that of a module, which is there once somebody imports it.
    value = globals()[name] = importlib.import_module(f"{_HOMES[name]}.{name}") if found is None else found
    return value


def __dir__() -> list[str]:
    """What there is, loaded or not."""
    return sorted(__all__)

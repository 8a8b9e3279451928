"""The registry of what the local service is made of: loaded when first asked for, so that a command pays for what it uses."""

from __future__ import annotations

import importlib
from typing import Any

PARTS = {
    "settings": "weft.core.settings",
    "documents": "weft.app.documents",
    "clock": "weft.core.clock",
    "desk": "weft.app.automation.desk",
    "written": "weft.app.automation.written",
    "worker": "weft.app.automation.worker",
    "journal": "weft.store.journal",
    "driving": "weft.app.driving",
    "doctor": "weft.app.doctor",
    "expiring": "weft.app.expiring",
    "answering": "weft.engine.answering",
    "fold": "weft.engine.fold",
    "proof": "weft.engine.proof",
    "travel": "weft.app.travel",
    "why": "weft.engine.why",
    "trace": "weft.app.tracing",
    "reasoning": "weft.app.reasoning",
    "shelf": "weft.engine.shelf",
    "removal": "weft.store.removal",
    "tools": "weft.app.toolbox",
    "servers": "weft.app.servers",
    "mcp": "weft.tools.mcp.pool",
    "planning": "weft.app.planning",
    "programs": "weft.app.programs",
    "naming": "weft.python.naming",
    "planned": "weft.store.planned",
    "opening": "weft.app.opening",
    "keyring": "weft.store.keyring",
    "secrets-port": "weft.secrets.port",
    "secret-sources": "weft.app.secret_sources",
    "secrets-files": "weft.secrets.sources.files",
    "secrets-aws": "weft.secrets.sources.aws",
    "secrets-azure": "weft.secrets.sources.azure",
    "secrets-vault": "weft.secrets.sources.vault",
    "cookies": "weft.app.admission.cookies",
    "trail": "weft.app.auditing.trail",
    "acts": "weft.app.auditing.acts",
    "configured": "weft.app.auditing.configured",
    "audit-shipping": "weft.app.auditing.shipping",
    "audit-aws": "weft.app.auditing.aws",
    "audit-keys": "weft.app.auditing.keys",
    "mcp-desk": "weft.app.mcp",
}


def load(name: str) -> Any:
    """The module that provides the part `name`."""
    return importlib.import_module(PARTS[name])

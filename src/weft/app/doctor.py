"""What of this machine is fit for work, and what to do about the rest."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from weft.app.opening import open_journal
from weft.app.parts import load
from weft.core.errors import WeftError
from weft.core.settings import Settings, load_settings

_LOW_DISK = 200 * 1024 * 1024
_PROVIDERS = (
    ("openai", "openai", ("OPENAI_API_KEY",)),
    ("azure", "openai", ("AZURE_OPENAI_API_KEY",)),
    ("anthropic", "anthropic", ("ANTHROPIC_API_KEY",)),
    ("bedrock", "boto3", ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK")),
    ("google", "google.genai", ("GOOGLE_API_KEY", "GEMINI_API_KEY")),
)
"""Provider, the module of its client, and the variables of which one is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. ``warning`` leaves Weft usable, ``error`` does not."""

    name: str
    level: Literal["ok", "warning", "error"]
    text: str
    fix: str = ""


def examine() -> list[Finding]:
    """Look at everything."""
    findings = [_python(), _sqlite()]
    try:
        settings = load_settings()
    except WeftError as error:
        return [*findings, Finding(name="settings", level="error", text=error.message, fix=error.fix)]
    findings.append(Finding(name="settings", level="ok", text=f"{len(settings.sources)} given, the rest are defaults"))
    checks: tuple[Callable[[Settings], Finding], ...] = (_home, _disk, _journal)
    findings += [check(settings) for check in checks]
    findings += _certificates(settings)
    findings += [_provider(*row) for row in _PROVIDERS]
    findings.append(Finding(name="provider offline", level="ok", text="offline/extract needs no key and no network"))
    return findings


def _python() -> Finding:
    text = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.platform == "win32":
        return Finding(
            name="python", level="error", text=text, fix="use Linux, macOS or WSL: Weft needs POSIX file locks"
        )
    return Finding(name="python", level="ok", text=text)


def _sqlite() -> Finding:
    return Finding(
        name="sqlite", level="ok", text=f"SQLite {sqlite3.sqlite_version}, checkpoints under Weft's own lock"
    )


def _home(settings: Settings) -> Finding:
    folder = settings.home
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / ".doctor"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return Finding(
            name="home", level="error", text=f"{folder}: {error.strerror}", fix="set WEFT_HOME to a folder of yours"
        )
    return Finding(name="home", level="ok", text=str(folder))


def _disk(settings: Settings) -> Finding:
    here = next(path for path in (settings.home, *settings.home.parents, Path("/")) if path.exists())
    free = shutil.disk_usage(here).free
    text = f"{free / 2**30:.1f} GiB free"
    if free < _LOW_DISK:
        return Finding(name="disk", level="warning", text=text, fix="free some space: a full disk stops every run")
    return Finding(name="disk", level="ok", text=text)


def _journal(settings: Settings) -> Finding:
    if settings.store.url is None and not Path(settings.journal).exists():
        return Finding(name="journal", level="ok", text="none yet; the first run makes it")
    try:
        journal = open_journal(settings)
        path, narrows = journal.database.path, journal.database.narrows
        count = len(journal.runs.list(limit=1_000))
        journal.close()
    except WeftError as error:
        return Finding(name="journal", level="error", text=error.message, fix=error.fix)
    text = f"{path}, {'sealed, ' if journal.seal is not None else ''}{count}{'+' if count == 1_000 else ''} run{'' if count == 1 else 's'}"
    if settings.store.url is not None and not narrows:
        return Finding(
            name="journal",
            level="warning",
            text=f"{text}; its user may make no roles, so tenants are kept apart by queries alone",
            fix="give it CREATEROLE, or make the role for it as the page about Postgres says",
        )
    return Finding(name="journal", level="ok", text=text)


def _certificates(settings: Settings) -> list[Finding]:
    """Those that the settings name, of the service and of commands: none is needed."""
    server = settings.server
    files = {
        "server.tls_cert": server.tls_cert,
        "server.tls_clients": server.tls_clients,
        "tls_ca": settings.tls_ca,
        "tls_cert": settings.tls_cert,
    }
    if not any(files.values()):
        return []
    found = load("expiring").looked_at(files, now=datetime.now(UTC), warn_days=server.tls_warn_days)
    return [
        Finding(
            name=f"certificate {one.setting}",
            level="error" if one.over else "warning" if one.problem else "ok",
            text=one.problem or f"good until {one.until:%Y-%m-%d}",
            fix=one.fix,
        )
        for one in found
    ]


def _provider(name: str, module: str, variables: tuple[str, ...]) -> Finding:
    label = f"provider {name}"
    top = module.partition(".")[0]
    if importlib.util.find_spec(top) is None or importlib.util.find_spec(module) is None:
        extra = "openai" if name == "azure" else name
        return Finding(
            name=label, level="warning", text="its client is not installed", fix=f"pip install 'weft[{extra}]'"
        )
    if not any(os.environ.get(variable) for variable in variables):
        return Finding(
            name=label,
            level="warning",
            text="no credential",
            fix=f"set {' or '.join(variables)}, or run with --offline",
        )
    return Finding(name=label, level="ok", text="client and credential are there")

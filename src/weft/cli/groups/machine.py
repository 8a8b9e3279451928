"""``weft config`` and ``weft doctor``."""

from __future__ import annotations

import dataclasses
import json

from rich.table import Table
from rich.text import Text

from weft.app.doctor import Finding
from weft.app.service import Service
from weft.cli.options import AsJson
from weft.cli.reach import ask
from weft.cli.render.consoles import console
from weft.cli.terminal import clean, say_json, symbol
from weft.core.settings import SettingRow

_NOT_READY = 10
_MARKS = {"ok": ("✓", "ok", "green"), "warning": ("!", "!", "yellow"), "error": ("✗", "X", "red")}


def config(as_json: AsJson = False) -> None:
    """Show each setting, its value, and where it comes from. Secrets are masked."""

    async def look(service: Service) -> list[SettingRow]:
        return service.settings()

    rows = ask(look)
    if as_json:
        say_json({"settings": [dataclasses.asdict(row) for row in rows]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("SETTING", "VALUE", "FROM"):
        table.add_column(title, overflow="fold")
    for row in rows:
        value = "" if row.value is None else row.value if isinstance(row.value, str) else json.dumps(row.value)
        given = row.source != "default"
        source = row.source if given else f"default, set {row.variable} to change it"
        table.add_row(row.name, Text(clean(value), style="bold" if given else ""), Text(clean(source), style="dim"))
    console().print(table)


def doctor(as_json: AsJson = False) -> int:
    """Look whether this machine is ready for work, and say what to do about the rest. Exit code 10 when it is not."""

    async def look(service: Service) -> list[Finding]:
        return service.doctor()

    findings = ask(look)
    ready = all(finding.level != "error" for finding in findings)
    if as_json:
        say_json({"ready": ready, "findings": [dataclasses.asdict(finding) for finding in findings]})
        return 0 if ready else _NOT_READY
    table = Table.grid(padding=(0, 1))
    for finding in findings:
        fancy, plain, colour = _MARKS[finding.level]
        text = Text(clean(finding.text))
        if finding.fix:
            text.append(f"\nfix: {clean(finding.fix)}", style="dim")
        table.add_row(Text(symbol(fancy, plain), style=colour), Text(finding.name, style="bold"), text)
    console().print(table)
    return 0 if ready else _NOT_READY

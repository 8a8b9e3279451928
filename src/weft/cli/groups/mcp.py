"""``weft tools list`` and ``weft mcp``: servers tried, logged in to, and what they changed accepted."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import webbrowser
from difflib import unified_diff
from typing import Annotated, Any

import typer

from weft.app.service import Service
from weft.cli.options import AsJson, File
from weft.cli.reach import ask
from weft.cli.render.figures import short
from weft.cli.terminal import clean, paint, say, say_json, symbol, tell
from weft.core.errors import EXIT_CODES, ToolError
from weft.tools.mcp.findings import Change, Tried

ServerName = Annotated[str, typer.Argument(metavar="SERVER", help="The id of the MCP server.", show_default=False)]
_WIDTH = 100


def list_tools(file: File, as_json: AsJson = False) -> int:
    """List the tools of a workflow with their effects. Its MCP servers are started and asked (exit code 10 if one fails)."""

    async def look(service: Service) -> tuple[list[dict[str, Any]], list[Tried]]:
        return service.own_tools(file), await service.try_servers(file)

    own, tried = ask(look)
    rows = own + [
        {
            "name": tool["name"],
            "from": f"mcp {one.server}",
            "effect": tool["effect"],
            "description": tool["description"],
        }
        for one in tried
        for tool in one.tools
        if tool["allowed"]
    ]
    failed = [one for one in tried if one.error]
    if as_json:
        say_json({"tools": rows, "failed": [{"server": one.server, **(one.error or {})} for one in failed]})
        return _code(tried)
    for row in rows:
        gist = short(clean(row["description"].partition("\n")[0]), _WIDTH)
        say(f"{paint(clean(row['name']), 'bold')}  {clean(row['from'])}, {row['effect']}  {paint(gist, 'dim')}")
    for one in failed:
        _say_failed(one)
    return _code(tried)


def try_servers(file: File, as_json: AsJson = False) -> int:
    """Start or reach each MCP server of a workflow, and say what it is and offers (exit code 10 if one fails)."""

    async def look(service: Service) -> list[Tried]:
        return await service.try_servers(file)

    tried = ask(look)
    if as_json:
        say_json({"servers": [dataclasses.asdict(one) for one in tried]})
        return _code(tried)
    if not tried:
        say("The workflow has no MCP servers.")
    for one in tried:
        if one.error:
            _say_failed(one)
            continue
        _say_works(one)
        for tool in one.tools:
            mark = "" if tool["allowed"] else " (not allowed)"
            hidden = paint("  hidden characters in its description", "red") if tool["hidden_text"] else ""
            gist = short(clean(tool["description"].partition("\n")[0]), _WIDTH)
            say(f"    {clean(tool['name'])}  {tool['effect']}{mark}  {paint(gist, 'dim')}{hidden}")
    return _code(tried)


def login(
    file: File,
    server: ServerName,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address, and open no browser.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Log in to a remote MCP server. The tokens stay in WEFT_HOME, readable for you alone, and are refreshed by themselves."""

    async def show(address: str) -> None:
        tell(f"Open this address to log in:\n  {clean(address)}")
        if not no_browser:
            await asyncio.to_thread(webbrowser.open, address)

    async def go(service: Service) -> Tried:
        return await service.login(file, server, show)

    tried = ask(go)
    if as_json:
        say_json({"server": tried.server, "facts": dict(tried.facts), "tools": [tool["name"] for tool in tried.tools]})
    else:
        _say_works(tried)
    return 0


def changes(file: File, as_json: AsJson = False) -> None:
    """Show tools that their MCP server describes differently than when the description was last accepted."""

    async def look(service: Service) -> list[Change]:
        return service.tool_changes(file)

    found = ask(look)
    if as_json:
        say_json({"changes": [dataclasses.asdict(change) for change in found]})
        return
    if not found:
        say("No tool is described differently than before.")
    for change in found:
        say(paint(f"{clean(change.server)}/{clean(change.tool)}", "bold"))
        for line in _difference(change):
            say(paint(clean(line), {"+": "green", "-": "red"}.get(line[:1], "dim")))


def accept(
    file: File,
    server: ServerName,
    tools: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TOOL]...", help="Which of its tools; all when none is named.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Accept the latest descriptions of tools, so that runs that asked about them can go on with `weft resume`."""

    async def go(service: Service) -> list[str]:
        return service.accept_tools(file, server, tools or [])

    done = ask(go)
    if as_json:
        say_json({"accepted": done})
        return
    say(f"Accepted: {', '.join(map(clean, done))}" if done else "There was nothing to accept.")


def _difference(change: Change) -> list[str]:
    before, now = (json.dumps(one, indent=2, ensure_ascii=False).splitlines() for one in (change.before, change.now))
    return list(unified_diff(before, now, "before", "now", lineterm="", n=1))


def _say_works(one: Tried) -> None:
    facts = " ".join(str(one.facts[key]) for key in ("name", "version") if key in one.facts)
    mark = paint(symbol("✓", "ok:"), "green")
    say(f"{mark} {clean(one.server)}: {clean(facts)}, protocol {one.facts.get('protocol')}, {len(one.tools)} tools")


def _say_failed(one: Tried) -> None:
    error = one.error or {}
    say(f"{paint(symbol('✗', 'failed:'), 'red')} {clean(one.server)}: {clean(str(error.get('message', '')))}")
    if error.get("fix"):
        say(f"    {paint('fix:', 'bold')} {clean(str(error['fix']))}")


def _code(tried: list[Tried]) -> int:
    return EXIT_CODES[ToolError.code] if any(one.error and not one.optional for one in tried) else 0

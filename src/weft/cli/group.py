"""Commands that are loaded when they are used: help is printed from the table alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from weft.cli.commands import COMMANDS, Entry

CONTEXT = {"help_option_names": ["-h", "--help"]}


class TableGroup(TyperGroup):
    """A group whose commands are the rows of `table`."""

    table: Mapping[str, Entry] = {}
    piped: str = ""
    """The member that is meant by nothing at all, where a program is at the other end of standard input."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments."""
        if not args and self.piped and _is_pipe():
            args = [self.piped]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the commands, in the order of the table."""
        del ctx
        return list(self.table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, its module loaded now."""
        entry = self.table.get(cmd_name)
        if entry is None:
            near = get_close_matches(cmd_name, [name for name, one in self.table.items() if not one.hidden], 1)
            if not ctx.resilient_parsing and not cmd_name.startswith("-"):
                ctx.fail(f"No such command {cmd_name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
            return None
        return built(cmd_name, entry)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands with their one line of help, by section."""
        del ctx
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, entry in self.table.items():
            if not entry.hidden:
                sections.setdefault(entry.section, []).append((name, entry.help))
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)


class Root(TableGroup):
    """``weft`` itself."""

    table = COMMANDS


def built(name: str, entry: Entry) -> Any:
    """The command or group that a row of the table stands for."""
    if entry.members:
        kind = type("Members", (TableGroup,), {"table": entry.members, "piped": entry.piped})
        app = _app(cls=kind, help=entry.help, no_args_is_help=True)
        app.callback()(_nothing)
    else:
        app = _app()
        app.command(name, hidden=entry.hidden, context_settings=CONTEXT)(entry.load())
    command = get_command(app)
    command.name = name
    return command


def root() -> Any:
    """The whole command line."""
    app = _app(cls=Root, help="Weave agents, tools and people into durable workflows.", no_args_is_help=True)
    app.callback(epilog="`weft COMMAND --help` says more. Every command takes --json.")(_root)
    return get_command(app)


def _print_version(given: bool) -> None:
    if given:
        COMMANDS["version"].load()(as_json=False)
        raise typer.Exit


def _root(
    _version: bool = typer.Option(
        False,
        "--version",
        help="Print the version and exit.",
        callback=_print_version,
        is_eager=True,
    ),
    _server: str | None = typer.Option(
        None,
        "--server",
        metavar="URL",
        help="Ask this running service (`weft up`) and not this machine; also after the command.",
        show_default=False,
    ),
    _debug: bool = typer.Option(False, "--debug", help="Show the traceback of an unexpected error."),
) -> None:
    """The options of ``weft`` itself; `weft.cli.main` looks for ``--debug`` and ``--server`` on its own."""


def _is_pipe() -> bool:
    """Whether standard input is a pipe or a socket: neither a terminal, nor a file, nor nothing."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _nothing() -> None:
    """A group has no options of its own."""


def _app(**settings: Any) -> typer.Typer:
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=CONTEXT,
        **settings,
    )

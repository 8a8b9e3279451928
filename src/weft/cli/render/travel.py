"""Two runs side by side, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from weft.cli.render.figures import consumed, duration, short
from weft.cli.terminal import clean
from weft.engine.diff import Line, Side

_COLOURS = {"same": "dim", "changed": "yellow", "only-first": "red", "only-second": "green"}


def diff_table(lines: Sequence[Line], first: str, second: str) -> Table:
    """Paths, one a line, with what each run says of it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("PATH", overflow="fold", ratio=2)
    table.add_column("", no_wrap=True)
    table.add_column(first[-12:], overflow="fold", ratio=3)
    table.add_column(second[-12:], overflow="fold", ratio=3)
    for line in lines:
        change = Text(line.change, style=_COLOURS[line.change])
        table.add_row(Text(clean(line.path) or "(the run)"), change, _side(line.first), _side(line.second))
    return table


def _side(side: Side | None) -> Text:
    if side is None:
        return Text("")
    facts = [side.status, "" if side.duration is None else duration(side.duration), consumed(side.usage)]
    text = Text("  ".join(fact for fact in facts if fact))
    if side.value and side.value != "null":
        text.append(f"\n{short(clean(side.value), 120)}", style="dim")
    return text

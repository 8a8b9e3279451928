"""``weft simulate``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from weft.cli.options import AsJson, File
from weft.cli.outcome import FAILED, WAITING
from weft.cli.terminal import clean, say, say_json
from weft.cli.variables import variables
from weft.core.errors import EXIT_CODES
from weft.testing.simulator.faults import parse_faults, parse_partitions
from weft.testing.simulator.rehearsal import Report, Simulation, rehearse

_SHOWN = 500


def simulate(  # noqa: PLR0917 -- a command's options are its parameters
    file: File,
    agents: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, max=10_000, help="Members in all where a pattern gives a `count`.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", min=0, help="What everything is drawn from.")] = 0,
    faults: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="latency=LOW..HIGH in seconds, and chances: errors, limits, garbage, crashes.",
            show_default=False,
        ),
    ] = "",
    partition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIRST-LAST/GROUPS", help="Separate the peers in these rounds; may be repeated.", show_default=False
        ),
    ] = None,
    var: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A value for an input; may be repeated.", show_default=False),
    ] = None,
    answer: Annotated[
        Literal["approve", "reject", "random"] | None,
        typer.Option(
            help="Let scripted people answer gates; without it the run ends at the first one.", show_default=False
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the journal in this folder, as a WEFT_HOME.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Run a workflow in virtual time with scripted agents: no network, no cost, no trace in your runs. The same seed gives the same events."""
    report = rehearse(
        Simulation(
            file=file,
            variables=variables(var or ()),
            agents=agents,
            seed=seed,
            faults=parse_faults(faults),
            partitions=tuple(parse_partitions(partition or ())),
            keep=keep,
            answer=answer,
        )
    )
    if as_json:
        say_json(report.as_json())
    else:
        for line in _lines(report, keep):
            say(line)
    if report.status == "failed":
        return EXIT_CODES.get(str((report.error or {}).get("code")), FAILED)
    return {"completed": 0, "waiting": WAITING}.get(report.status, FAILED)


def _lines(report: Report, keep: Path | None) -> Iterator[str]:
    response = (report.outputs or {}).get("response") if isinstance(report.outputs, dict) else None
    if response is not None:
        text = clean(response if isinstance(response, str) else json.dumps(response, ensure_ascii=False))
        yield text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        yield ""
    yield f"{clean(report.workflow)}  {report.status}  seed {report.seed}"
    if report.error:
        yield f"  {report.error.get('code')}: {clean(str(report.error.get('message')))}"
    rows: dict[str, Any] = {
        "steps": f"{report.calls:,} calls, {report.requests:,} requests, {report.tokens:,} tokens",
        "virtual time": f"{report.virtual_s:,.3f} s",
        "faults": _faults(report),
        "people": ", ".join(f"{word} {count:,}" for word, count in report.answered.items()),
        "convergence": ", ".join(f"{name} {_word(value)}" for name, value in report.convergence.items()),
        "events": f"{report.events:,}, sha256 {report.digest}",
        "measured": f"{report.measured['seconds']:,.2f} s, {report.measured['events_per_s']:,.0f} events/s, "
        f"peak {report.measured['peak_mb']:,.0f} MiB",
        "journal": f"{keep} (WEFT_HOME={keep} weft show last)" if keep else "",
    }
    for name, value in rows.items():
        if value:
            yield f"  {name:<13} {value}"


def _faults(report: Report) -> str:
    counted = dict(report.injected) | ({"crashes": report.crashes} if report.crashes else {})
    return ", ".join(f"{count:,} {name}" for name, count in counted.items()) or "none"


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)

"""What to do about an error, said to whoever calls over HTTP: the call to make rather than the command to type."""

from __future__ import annotations

import re

_RUN = r"(?: (?P<run>[a-z0-9]\S*))?"
_CALLS = tuple(
    (re.compile(command), call)
    for command, call in (
        (r"(?P<list>runs|plans|schedules|triggers|agents) list.*", "GET /{list}"),
        (rf"runs delete{_RUN}", "DELETE /runs/{run}"),
        (rf"agents show{_RUN}", "GET /agents/{run}"),
        (rf"events{_RUN} --follow", "GET /runs/{run}/stream"),
        (rf"events{_RUN}", "GET /runs/{run}/events"),
        (rf"show{_RUN}( --json)?", "GET /runs/{run}"),
        (r"run( .*)?", "POST /runs"),
        (r"validate( .*)?", "POST /workflows/validate"),
        (r"gates", "GET /gates"),
        (r"(approve|reject) .*", "POST /gates/{{id}}/decide"),
        (rf"(?P<ask>why|verify){_RUN}", "GET /runs/{run}/{ask}"),
        (rf"(?P<act>cancel|resume|fork|promote|rerun|signal){_RUN}.*", "POST /runs/{run}/{act}"),
    )
)
"""What each command is over HTTP; `run` is what it names, or a place to fill in."""
_COMMAND = re.compile(r"`weft (?P<words>[^`]+)`")
_OPTIONS = (
    (re.compile(r"add --var (\S+)=…"), r"give `\1` in `inputs`"),
    (re.compile(r"give them with --set NAME=VALUE"), "give them in `values`"),
    (re.compile(r"say what with --answer TEXT"), "say what as `response`"),
    (re.compile(r"--cron or --every\b"), "`cron` or `every_s`"),
    (re.compile(r"--(name|at|by|pin)\b"), r"`\1`"),
)


_OURS = "weft/"
"""What the command line and the Python client call themselves: whoever uses them has the commands at hand."""


def said_to(agent: str, fix: str) -> str:
    """`fix` for a client that calls itself `agent`."""
    return fix if agent.startswith(_OURS) else over_http(fix)


def over_http(fix: str) -> str:
    """`fix` with the calls of the control API in the place of commands and their options; what has no such call stays as it is."""
    fix = _COMMAND.sub(lambda found: _call(found["words"]) or found[0], fix)
    for option, said in _OPTIONS:
        fix = option.sub(said, fix)
    return fix


def _call(words: str) -> str | None:
    """The call that does what a command does, in backticks; None where there is none."""
    for command, call in _CALLS:
        if found := command.fullmatch(words):
            names = {name: value or "{id}" for name, value in found.groupdict().items()}
            method, path = call.format(**names).split(" ", 1)
            more = " with `settle`" if "--did" in words else ""
            return f"`{method} /api/v1{path}`{more}"
    return None

"""What to do about an error, said to whoever calls: in what their protocol has for it, rather than the command to type."""

from __future__ import annotations

import re
from typing import Literal

Protocol = Literal["http", "openai", "a2a", "ag-ui", "mcp"]
_RUN = r"(?: (?P<run>[a-z0-9]\S*))?"
_API = "/api/v1"
_HTTP = (
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
"""What each command is over the control API; `run` is what it names, or a place to fill in."""
_OWN: dict[Protocol, tuple[tuple[str, str], ...]] = {
    "http": (),
    "openai": ((r"run( .*)?", "POST /v1/chat/completions"),),
    "a2a": (
        (r"runs list.*", "ListTasks"),
        (rf"events{_RUN} --follow", "SubscribeToTask"),
        (rf"(show|events|why){_RUN}( --json)?", "GetTask"),
        (rf"cancel{_RUN}.*", "CancelTask"),
        (r"run( .*)?", "SendMessage"),
    ),
    "ag-ui": ((r"(approve|reject) .*", "resume"), (r"run( .*)?", "POST /ag-ui/{{name}}")),
    "mcp": (
        (r"runs list.*|gates", "weft_status"),
        (rf"(show|events|why){_RUN}( --follow| --json)?", "weft_status"),
        (r"(approve|reject) .*", "weft_answer"),
        (rf"cancel{_RUN}.*", "weft_cancel"),
        (r"run( .*)?", "weft_start"),
        (r"agents list.*", "tools/list"),
    ),
}
"""What a protocol has of its own for a command: a method, a tool or a field. For all others there is the control API."""
_CALLS = {
    protocol: (
        *((re.compile(command), call, True) for command, call in own),
        *((re.compile(command), call.replace(" /", f" {_API}/"), False) for command, call in _HTTP),
    )
    for protocol, own in _OWN.items()
}
_COMMAND = re.compile(r"`weft (?P<words>[^`]+)`")
_GIVEN: dict[Protocol, str] = {
    "http": r"give `\1` in `inputs`",
    "openai": r"give `\1` in `weft.inputs`",
    "a2a": r"give `\1` in a part with data",
    "ag-ui": r"give `\1` in `forwardedProps.inputs`",
    "mcp": r"give the argument `\1`",
}
"""How an input is given."""
_OPTIONS = (
    (re.compile(r"give them with --set NAME=VALUE"), "give them in `values`"),
    (re.compile(r"say what with --answer TEXT"), "say what as `response`"),
    (re.compile(r"--cron or --every\b"), "`cron` or `every_s`"),
    (re.compile(r"--(name|at|by|pin)\b"), r"`\1`"),
)
_VARIABLE = re.compile(r"add --var (\S+)=…")
_OURS = "weft/"
"""What the command line and the Python client call themselves: whoever uses them has the commands at hand."""


def said_to(agent: str, fix: str) -> str:
    """`fix` for a client of the control API that calls itself `agent`."""
    return fix if agent.startswith(_OURS) else said_over("http", fix)


def said_over(protocol: Protocol, fix: str, *, api: bool = True) -> str:
    """`fix` with what a protocol has for it in the place of commands and their options; what is nothing there stays as it is.

    Without `api` there is no control API beside it: the client runs on the machine that has the commands.
    """
    fix = _COMMAND.sub(lambda found: _call(protocol, found["words"], api=api) or found[0], fix)
    fix = _VARIABLE.sub(_GIVEN[protocol], fix)
    for option, said in _OPTIONS:
        fix = option.sub(said, fix)
    return fix


def _call(protocol: Protocol, words: str, *, api: bool) -> str | None:
    """What does the same as a command, in backticks; None where there is nothing."""
    for command, call, own in _CALLS[protocol]:
        if (own or api) and (found := command.fullmatch(words)):
            names = {name: value or "{id}" for name, value in found.groupdict().items()}
            named = found.groupdict().get("run")
            which = f" of {named}" if named and "{run}" not in call else ""
            more = " with `settle`" if "--did" in words else ""
            return f"`{call.format(**names)}`{which}{more}"
    return None

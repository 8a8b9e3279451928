"""``weft agents``: agents that stand in files of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from weft.app.artifacts import write_file
from weft.app.atomic import AgentFile, case_input, discover, example_problems, find_agent, read_object, schema_text
from weft.app.starter import write_agent
from weft.cli.commands import WORK
from weft.cli.options import AsJson, BaseUrl, Model, Offline, Provider, choice
from weft.cli.terminal import as_text, clean, paint, result, say, say_json, symbol, tell
from weft.core.errors import InputError, SpecError

_FAILED = 10

Name = Annotated[str, typer.Argument(metavar="AGENT", help="The name of an agent, or its file.", show_default=False)]
Folder = Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where to look for agents.")]


def list_agents(
    folder: Folder = Path(),
    everything: Annotated[bool, typer.Option("--all", help="List every file with one agent, marked or not.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the agents that stand in files of their own, below a folder."""
    found = discover(folder, everything=everything)
    if as_json:
        say_json({"agents": [agent.as_json() for agent in found]})
        return
    if not found:
        tell("No agents here: `weft agents init NAME` makes one.")
    for agent in found:
        say(f"{clean(agent.name)}  {clean(agent.workflow.description)}".rstrip())
        say(f"    {clean(str(agent.file))}")


def describe(
    name: Name,
    folder: Folder = Path(),
    form: Annotated[Literal["rich", "json", "yaml"], typer.Option("--format", "-f", help="How to show it.")] = "rich",
    as_json: AsJson = False,
) -> None:
    """Show an agent: what it takes, what it gives, its examples and its tests."""
    agent = find_agent(name, folder)
    if as_json or form == "json":
        say_json(agent.as_json())
    elif form == "yaml":
        say(agent.file.read_text(encoding="utf-8").rstrip("\n"))
    else:
        _page(agent)


def run(
    name: Name,
    *,
    given: Annotated[
        Path, typer.Option("--input", "-i", metavar="FILE", help="The input, a JSON object.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the answer there.", show_default=False),
    ] = None,
    folder: Folder = Path(),
    provider: Provider = None,
    model: Model = None,
    base_url: BaseUrl = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> int:
    """Run an agent on the input in a file. The answer goes to standard output, or into a file."""
    agent = find_agent(name, folder)
    values = agent.hold(read_object(given))
    answered = _work()(agent.file, values, choice(provider, model, base_url, offline=offline))
    if as_json:
        say_json(answered.as_json())
        return int(answered.exit_code)
    if answered.error:
        raise answered.error
    text = answered.answer if isinstance(answered.answer, str) else as_text(answered.answer)
    if output is None:
        result(text)
    else:
        write_file(output.parent, output, text.encode(errors="replace") + b"\n")
        tell(f"wrote {output}")
    return 0


def run_tests(
    name: Name,
    *,
    pattern: Annotated[
        str, typer.Option("--filter", metavar="TEXT", help="Only tests whose name holds this.", show_default=False)
    ] = "",
    folder: Folder = Path(),
    provider: Provider = None,
    model: Model = None,
    base_url: BaseUrl = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> int:
    """Run the tests of an agent. Exit code 10 when one of them fails."""
    agent = find_agent(name, folder)
    cases = [case for case in agent.cases() if pattern.lower() in case.name.lower()]
    if not cases:
        raise InputError(
            f"no test of {agent.name!r} fits {pattern!r}", fix=f"`weft agents show {agent.name}` shows them"
        )
    chosen = choice(provider, model, base_url, offline=offline)
    verdicts = _work("agent-test")(agent, cases, chosen)
    good = all(not verdict.failures for verdict in verdicts)
    if as_json:
        say_json({"agent": agent.name, "passed": good, "tests": [verdict.as_json() for verdict in verdicts]})
        return 0 if good else _FAILED
    for verdict in verdicts:
        mark = paint(symbol("✗", "X"), "red") if verdict.failures else paint(symbol("✓", "ok"), "green")
        say(f"{mark} {clean(verdict.name)}")
        for failure in verdict.failures:
            say(f"    {clean(failure)}")
    tell(f"{sum(not verdict.failures for verdict in verdicts)} of {len(verdicts)} passed")
    return 0 if good else _FAILED


def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the agent.", show_default=False)],
    domain: Annotated[str, typer.Option("--domain", metavar="TEXT", help="What the agent knows about.")] = "general",
    capability: Annotated[str, typer.Option("--capability", metavar="TEXT", help="What the agent does.")] = "summarise",
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make an agent to start from, with schemas, an example and a test, in agents/atomic/NAME."""
    written = write_agent(Path(), name, domain=domain, capability=capability, force=force)
    if as_json:
        say_json({"files": [str(path) for path in written]})
        return
    for path in written:
        say(f"wrote {clean(str(path))}")
    say(f"Next:\n  weft agents test {clean(name)}")


def validate(name: Name, folder: Folder = Path(), as_json: AsJson = False) -> int:
    """Check an agent: its file, its schemas, its examples and its tests."""
    agent = find_agent(name, folder)
    problems = list(example_problems(agent))
    if agent.tests.is_file():
        for case in agent.cases():
            try:
                case_input(agent, case)
            except InputError as error:
                problems.append(f"{agent.tests}: {case.name}: {error.message}")
    if as_json:
        say_json({"agent": agent.name, "valid": not problems, "problems": problems})
    elif problems:
        raise SpecError(
            f"{agent.name!r} has problems: {'; '.join(problems[:10])}", fix="correct the files that are named"
        )
    else:
        say(f"{clean(str(agent.file))}: {clean(agent.name)} is well-formed")
    return 3 if problems else 0


def _page(agent: AgentFile) -> None:
    facts = agent.as_json()
    say(paint(clean(agent.name), "bold"))
    if facts["description"]:
        say(clean(facts["description"]))
    say(f"file: {clean(facts['file'])}")
    say(f"tools: {clean(', '.join(facts['tools']) or 'none')}")
    say(f"takes: {clean(schema_text(agent.input_schema))}")
    say(f"gives: {clean(schema_text(agent.output_schema))}")
    for title in ("examples",):
        say(f"{title}: {clean(', '.join(facts[title]) or 'none')}")
    say(f"tests: {facts['tests']}")


def _work(name: str = "agent") -> Any:
    return WORK[name].load()

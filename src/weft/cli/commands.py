"""The table of commands: where each one is, and the line that help shows. Nothing is loaded before it is used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One command (`target` is ``module:function``) or one group of commands (`members`).

    A `brief` one only reads files and prints: its process may spare what long ones need, and may end at once. `piped` is the
    member of a group that is meant when the group is called with nothing else by a program that holds the other end of a pipe.
    """

    help: str
    target: str = ""
    section: str = "Commands"
    hidden: bool = False
    brief: bool = False
    members: Mapping[str, Entry] = field(default_factory=dict)
    piped: str = ""

    def load(self) -> Callable[..., Any]:
        """The function that does it."""
        module, _, name = self.target.partition(":")
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return function


_GROUPS = "weft.cli.groups"
_LIST = Entry(target=f"{_GROUPS}.runs:list_runs", help="List runs, the newest first.")
_SHOW = Entry(target=f"{_GROUPS}.runs:show", help="Show what happened in a run, step by step.", section="Runs")

_DELETE = Entry(target=f"{_GROUPS}.removing:delete", help="Delete a run that has ended.")
_CLEANUP = Entry(target=f"{_GROUPS}.removing:cleanup", help="Delete the runs that have ended long ago.")
_AGENTS: Mapping[str, Entry] = {
    "list": Entry(target=f"{_GROUPS}.agents:list_agents", help="List the agents below a folder."),
    "show": Entry(target=f"{_GROUPS}.agents:describe", help="Show an agent: what it takes, gives and is tested with."),
    "describe": Entry(target=f"{_GROUPS}.agents:describe", help="The same as show."),
    "run": Entry(target=f"{_GROUPS}.agents:run", help="Run an agent on the input in a file."),
    "test": Entry(target=f"{_GROUPS}.agents:run_tests", help="Run the tests of an agent."),
    "init": Entry(target=f"{_GROUPS}.agents:init", help="Make an agent to start from.", brief=True),
    "validate": Entry(
        target=f"{_GROUPS}.agents:validate", help="Check an agent, its examples and its tests.", brief=True
    ),
}


def _members(what: str) -> dict[str, Entry]:
    """What can be done with automations of either kind."""
    where = f"{_GROUPS}.{what}s"
    return {
        "list": Entry(target=f"{where}:list_all", help=f"List all {what}s."),
        "show": Entry(target=f"{_GROUPS}.automations:show", help=f"Show a {what} and what it has done."),
        "pause": Entry(target=f"{_GROUPS}.automations:pause", help=f"Keep a {what} from starting runs."),
        "resume": Entry(target=f"{_GROUPS}.automations:resume", help=f"Let a paused {what} start runs again."),
        "remove": Entry(target=f"{_GROUPS}.automations:remove", help=f"Forget a {what}; its runs stay."),
    }


COMMANDS: Mapping[str, Entry] = {
    "init": Entry(
        target=f"{_GROUPS}.project:init", help="Make a project to start from.", section="Workflows", brief=True
    ),
    "validate": Entry(
        target=f"{_GROUPS}.workflow:validate",
        help="Check a workflow file and name every problem.",
        section="Workflows",
        brief=True,
    ),
    "plan": Entry(
        target=f"{_GROUPS}.workflow:plan",
        help="Show the plan that a workflow compiles into.",
        section="Workflows",
        brief=True,
    ),
    "plans": Entry(
        help="See and remove the plans that were made for requests.",
        section="Workflows",
        members={
            "list": Entry(target=f"{_GROUPS}.plans:list_plans", help="List the plans that are used again."),
            "invalidate": Entry(target=f"{_GROUPS}.plans:invalidate", help="Remove plans, so that new ones are made."),
        },
    ),
    "schema": Entry(
        target=f"{_GROUPS}.workflow:schema",
        help="Print the JSON Schema of workflow files.",
        section="Workflows",
        brief=True,
    ),
    "run": Entry(target=f"{_GROUPS}.run:run", help="Run a workflow.", section="Workflows"),
    "simulate": Entry(
        target=f"{_GROUPS}.simulate:simulate",
        help="Run a workflow in virtual time with scripted agents and injected faults.",
        section="Workflows",
    ),
    "list-tools": Entry(
        target=f"{_GROUPS}.catalogue:list_tools",
        help="List the built-in tools, with their arguments and effects.",
        section="Workflows",
        brief=True,
    ),
    "agents": Entry(
        help="List, run and test agents that stand in files of their own.", section="Workflows", members=_AGENTS
    ),
    "runs": Entry(
        help="List, find and delete runs.",
        section="Runs",
        members={"list": _LIST, "delete": _DELETE, "cleanup": _CLEANUP},
    ),
    "show": _SHOW,
    "events": Entry(
        target=f"{_GROUPS}.journal:events", help="Print the events of a run, and follow it.", section="Runs"
    ),
    "resume": Entry(target=f"{_GROUPS}.resume:resume", help="Make a run go on where it stopped.", section="Runs"),
    "gates": Entry(target=f"{_GROUPS}.gates:gates", help="List what waits for an answer.", section="People"),
    "approve": Entry(target=f"{_GROUPS}.gates:approve", help="Answer a gate of a run.", section="People"),
    "reject": Entry(target=f"{_GROUPS}.gates:reject", help="Reject what a gate of a run asks.", section="People"),
    "signal": Entry(target=f"{_GROUPS}.gates:signal", help="Send a signal to a run.", section="People"),
    "cancel": Entry(target=f"{_GROUPS}.runs:cancel", help="Cancel a run, whichever process drives it.", section="Runs"),
    "why": Entry(target=f"{_GROUPS}.journal:why", help="Say what a run is waiting for.", section="Runs"),
    "verify": Entry(
        target=f"{_GROUPS}.journal:verify", help="Prove that nobody has changed the journal of a run.", section="Runs"
    ),
    "fork": Entry(
        target=f"{_GROUPS}.travel:fork", help="Start a run that shares the past of another one.", section="Time travel"
    ),
    "rerun": Entry(target=f"{_GROUPS}.travel:rerun", help="Do a run again from a step on.", section="Time travel"),
    "diff": Entry(target=f"{_GROUPS}.travel:diff", help="Compare two runs.", section="Time travel"),
    "replay": Entry(
        target=f"{_GROUPS}.travel:replay",
        help="Prove that the plan of a run makes the same events again.",
        section="Time travel",
    ),
    "promote": Entry(
        target=f"{_GROUPS}.travel:promote", help="Make a run the current one of its line.", section="Time travel"
    ),
    "discard": Entry(target=f"{_GROUPS}.travel:discard", help="Drop a fork for good.", section="Time travel"),
    "tools": Entry(
        help="See what agents can use.",
        section="Workflows",
        members={
            "list": Entry(
                target=f"{_GROUPS}.mcp:list_tools", help="List the tools of a workflow, its MCP servers asked too."
            )
        },
    ),
    "mcp": Entry(
        help="Serve workflows and agents as tools of MCP; try MCP servers, log in to them, accept what they changed.",
        section="Workflows",
        piped="serve",
        members={
            "serve": Entry(
                target=f"{_GROUPS}.mcp_serve:serve", help="Serve workflows and agents as tools, over a pipe."
            ),
            "test": Entry(target=f"{_GROUPS}.mcp:try_servers", help="Start or reach each MCP server of a workflow."),
            "login": Entry(target=f"{_GROUPS}.mcp:login", help="Log in to a remote MCP server, in a browser."),
            "changes": Entry(
                target=f"{_GROUPS}.mcp:changes", help="Show tools that are described differently than before."
            ),
            "accept": Entry(target=f"{_GROUPS}.mcp:accept", help="Accept changed descriptions of tools."),
        },
    ),
    "up": Entry(
        target=f"{_GROUPS}.up:up",
        help="Serve workflows and agents over HTTP.",
        section="Service",
    ),
    "worker": Entry(
        target=f"{_GROUPS}.worker:worker",
        help="Drive runs that are due, and start those of schedules and triggers.",
        section="Automation",
    ),
    "schedules": Entry(
        help="Runs that start at set times.",
        section="Automation",
        members={
            "add": Entry(target=f"{_GROUPS}.schedules:add", help="Run a workflow at set times."),
            "sync": Entry(
                target=f"{_GROUPS}.schedules:sync", help="Make active what workflow files say of when they run."
            ),
            "next": Entry(target=f"{_GROUPS}.schedules:upcoming", help="Show when a schedule is next due."),
            **_members("schedule"),
        },
    ),
    "triggers": Entry(
        help="Runs that start when something happens.",
        section="Automation",
        members={
            "add": Entry(target=f"{_GROUPS}.triggers:add", help="Run a workflow when a file arrives or a run ends."),
            **_members("trigger"),
        },
    ),
    "users": Entry(
        help="Who may use the service.",
        section="This machine",
        members={
            "list": Entry(target=f"{_GROUPS}.identity:list_users", help="List the users of a tenant."),
            "add": Entry(target=f"{_GROUPS}.identity:add_user", help="Make a user, or give one another role."),
            "disable": Entry(target=f"{_GROUPS}.identity:disable_user", help="Let a user in no more."),
        },
    ),
    "keys": Entry(
        help="The keys that users show to the service.",
        section="This machine",
        members={
            "list": Entry(target=f"{_GROUPS}.identity:list_keys", help="List the keys of a tenant."),
            "add": Entry(target=f"{_GROUPS}.identity:add_key", help="Make a key for a user."),
            "revoke": Entry(target=f"{_GROUPS}.identity:revoke_key", help="Take a key back."),
        },
    ),
    "signins": Entry(
        help="Where people are signed in with a browser.",
        section="This machine",
        members={
            "list": Entry(target=f"{_GROUPS}.signins:list_signins", help="List the sessions that count."),
            "end": Entry(target=f"{_GROUPS}.signins:end_signin", help="End one of them."),
        },
    ),
    "link": Entry(
        target=f"{_GROUPS}.identity:link",
        help="Print an address that signs a browser in, once.",
        section="This machine",
    ),
    "audit": Entry(
        help="Who did what, and the proof that the log of it is whole.",
        section="This machine",
        members={
            "list": Entry(target=f"{_GROUPS}.audit:list_entries", help="List who did what, the latest first."),
            "verify": Entry(target=f"{_GROUPS}.audit:verify", help="Prove that the log is what was written."),
            "export": Entry(
                target=f"{_GROUPS}.audit:export", help="Print the log as JSON Lines, with its signed head."
            ),
            "ship": Entry(target=f"{_GROUPS}.audit:ship", help="Ship what is new to S3 or CloudWatch Logs, once."),
            "head": Entry(target=f"{_GROUPS}.audit:head", help="Print the signed end of the log."),
            "key": Entry(target=f"{_GROUPS}.audit:key", help="Print the public key of the log."),
        },
    ),
    "config": Entry(
        target=f"{_GROUPS}.machine:config", help="Show each setting and where it comes from.", section="This machine"
    ),
    "db": Entry(
        help="Look after the store: schema, check, backup.",
        section="This machine",
        members={
            "migrate": Entry(target=f"{_GROUPS}.db:migrate", help="Bring the schema to the newest revision."),
            "check": Entry(target=f"{_GROUPS}.db:check", help="Look whether the store is sound."),
            "backup": Entry(target=f"{_GROUPS}.db:backup", help="Write everything into a new file."),
            "restore": Entry(target=f"{_GROUPS}.db:restore", help="Fill an empty store from a backup."),
            "role": Entry(target=f"{_GROUPS}.db:role", help="Let a role of Postgres read one tenant alone."),
        },
    ),
    "encryption": Entry(
        help="Look after the keys that seal the store.",
        section="This machine",
        members={
            "key": Entry(target=f"{_GROUPS}.encryption:key", help="Make a master key and print it."),
            "status": Entry(target=f"{_GROUPS}.encryption:status", help="Show the keys of the store."),
            "rotate": Entry(target=f"{_GROUPS}.encryption:rotate", help="Give tenants new data keys."),
            "reseal": Entry(
                target=f"{_GROUPS}.encryption:reseal", help="Seal with the newest keys what is not, or open everything."
            ),
            "rewrap": Entry(target=f"{_GROUPS}.encryption:rewrap", help="Wrap the data keys by another master key."),
            "shred": Entry(target=f"{_GROUPS}.encryption:shred", help="Destroy the data keys of a tenant."),
        },
    ),
    "doctor": Entry(
        target=f"{_GROUPS}.machine:doctor",
        help="Look whether this machine is ready, and say what to do.",
        section="This machine",
    ),
    "version": Entry(
        target=f"{_GROUPS}.version:version", help="Print the version.", section="This machine", brief=True
    ),
    "sessions": Entry(
        help="The runs, by their former name.",
        hidden=True,
        members={"list": _LIST, "show": _SHOW, "delete": _DELETE, "cleanup": _CLEANUP},
    ),
    "atomic": Entry(help="The agents in files, by their former name.", hidden=True, members=_AGENTS),
    "explain": Entry(
        target=f"{_GROUPS}.catalogue:explain",
        help="Say what keeps a workflow from running; a former name of validate.",
        hidden=True,
        brief=True,
    ),
    "list-supported": Entry(
        target=f"{_GROUPS}.catalogue:list_supported",
        help="List patterns, providers, sources of secrets and presets.",
        hidden=True,
        brief=True,
    ),
}
"""Every command of ``weft``, in the order in which help lists them."""

WORK: Mapping[str, Entry] = {
    "run": Entry(target="weft.cli.starting:start", help="Start a run."),
    "up": Entry(target="weft.cli.serving:serve", help="Serve until told to stop."),
    "mcp": Entry(target="weft.cli.piping:serve", help="Serve over a pipe until it is closed."),
    "worker": Entry(target="weft.cli.working:work", help="Drive and fire until told to stop."),
    "resume": Entry(target="weft.cli.resuming:go_on", help="Make a run go on."),
    "decide": Entry(target="weft.cli.deciding:decide", help="Answer a gate, and make the run go on."),
    "signal": Entry(target="weft.cli.deciding:signal", help="Send a signal, and make the run go on."),
    "respond": Entry(target="weft.cli.deciding:respond", help="Answer a gate in words, and make the run go on."),
    "afterwards": Entry(target="weft.cli.deciding:Afterwards", help="What is done once an answer is given."),
    "again": Entry(target="weft.cli.again:latest_open", help="Find the run of a workflow that is to go on."),
    "remote": Entry(target="weft.cli.remote.service:RemoteService", help="A running service, as commands see it."),
    "agent": Entry(target="weft.cli.agentwork:answer", help="Run an agent by itself."),
    "agent-test": Entry(target="weft.cli.agentwork:judge", help="Run the tests of an agent."),
}
"""What the long commands do, apart from their options: `--help` does not load the engine."""

FAILURE = Entry(target="weft.cli.failures:failed", help="Print an error and say which exit code belongs to it.")

SCHEMA = Entry(target="weft.spec.schema:json_schema", help="The JSON Schema of workflow files.")

PICTURE = Entry(target="weft.cli.render.picture:picture", help="A run painted over the picture of its plan.")

PREVIEW = Entry(target=f"{_GROUPS}.plans:print_preview", help="Prints what a request would become.")
DIAGRAMS: Mapping[str, Entry] = {
    "tree": Entry(target="weft.plan.diagram:tree", help="A tree, as text."),
    "mermaid": Entry(target="weft.plan.diagram:mermaid", help="A Mermaid flow chart."),
    "dot": Entry(target="weft.plan.diagram:dot", help="A Graphviz graph."),
    "svg": Entry(target="weft.cli.render.svg:svg", help="A Graphviz graph."),
    "json": Entry(target="weft.plan.codec:to_json", help="The plan itself."),
    "md": Entry(target="weft.plan.page:page", help="A page of Markdown."),
}
"""What can be made of a plan."""

"""A desk with everything that servers need: a folder, a home, secrets, and what is noted and shown kept to look at."""

import sys
from pathlib import Path
from types import SimpleNamespace

from weft.core.clock import SystemClock
from weft.net.client import HttpClient
from weft.net.egress import EgressPolicy
from weft.secrets.resolve import SecretRef, Secrets
from weft.tools.mcp.pool import McpPool, Surroundings
from weft.tools.port import ToolContext
from weft.tools.runner import run_tool

FAULTY = Path(__file__).parent / "faulty.py"


def faulty(mode="ok", state=None, **more):
    """The definition of a server that misbehaves as `mode` says."""
    return {"command": sys.executable, "args": [str(FAULTY), mode, *([str(state)] if state else [])], **more}


class Bench:
    """One process of Weft, as servers see it: runs come and go, what they note is kept."""

    def __init__(self, folder, **around):
        self.folder = folder
        self.policy = EgressPolicy(allow_loopback=True)
        self.http = HttpClient(self.policy)
        self.told = []
        self.notes = []
        self.shown = []
        self.environ = {"MCP_SECRET": "canary-mcp-5c1d77"}
        self.around = Surroundings(home=folder / "home", policy=self.policy, on_secret=self.told.append, **around)
        self.pool = McpPool(self.around)

    def context(self, key="k1"):
        return ToolContext(
            key=key,
            workdir=self.folder,
            clock=SystemClock(),
            http=self.http,
            secrets=Secrets([SecretRef(name="MCP_SECRET", key="MCP_SECRET")], environ=self.environ),
            note=lambda kind, data: self.notes.append(SimpleNamespace(kind=kind, data=dict(data))),
            emit=self.shown.append,
        )

    async def tools(self, run="run1", history=(), **servers):
        return await self.pool.tools(run, servers, self.context(), history=lambda: list(history))

    async def call(self, tool, key="k1", **args):
        return await run_tool(tool, args, self.context(key))

    def noted(self, kind):
        return [note.data for note in self.notes if note.kind == kind]

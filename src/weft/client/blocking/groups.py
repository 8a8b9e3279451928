"""Written by scripts/client from the OpenAPI document. All groups of calls."""

from __future__ import annotations

from weft.client.blocking.agents import Agents
from weft.client.blocking.audit import Audit
from weft.client.blocking.flags import Flags
from weft.client.blocking.gates import Gates
from weft.client.blocking.health import Health
from weft.client.blocking.keys import Keys
from weft.client.blocking.live import Live
from weft.client.blocking.plans import Plans
from weft.client.blocking.roles import Roles
from weft.client.blocking.runs import Runs
from weft.client.blocking.schedules import Schedules
from weft.client.blocking.sessions import Sessions
from weft.client.blocking.settings import Settings
from weft.client.blocking.signins import Signins
from weft.client.blocking.tenants import Tenants
from weft.client.blocking.tools import Tools
from weft.client.blocking.triggers import Triggers
from weft.client.blocking.usage import Usage
from weft.client.blocking.users import Users
from weft.client.blocking.webhooks import Webhooks
from weft.client.blocking.workflows import Workflows
from weft.client.line import Line


class Groups:
    """Every group of operations."""

    def __init__(self, line: Line) -> None:
        self.health = Health(line)
        self.workflows = Workflows(line)
        self.runs = Runs(line)
        self.gates = Gates(line)
        self.agents = Agents(line)
        self.tools = Tools(line)
        self.schedules = Schedules(line)
        self.triggers = Triggers(line)
        self.plans = Plans(line)
        self.usage = Usage(line)
        self.audit = Audit(line)
        self.settings = Settings(line)
        self.sessions = Sessions(line)
        self.webhooks = Webhooks(line)
        self.flags = Flags(line)
        self.tenants = Tenants(line)
        self.users = Users(line)
        self.roles = Roles(line)
        self.keys = Keys(line)
        self.signins = Signins(line)
        self.live = Live(line)

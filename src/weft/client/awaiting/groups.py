"""Written by scripts/client from the OpenAPI document. All groups of calls."""

from __future__ import annotations

from weft.client.awaiting.agents import AsyncAgents
from weft.client.awaiting.audit import AsyncAudit
from weft.client.awaiting.flags import AsyncFlags
from weft.client.awaiting.gates import AsyncGates
from weft.client.awaiting.health import AsyncHealth
from weft.client.awaiting.keys import AsyncKeys
from weft.client.awaiting.live import AsyncLive
from weft.client.awaiting.plans import AsyncPlans
from weft.client.awaiting.roles import AsyncRoles
from weft.client.awaiting.runs import AsyncRuns
from weft.client.awaiting.schedules import AsyncSchedules
from weft.client.awaiting.sessions import AsyncSessions
from weft.client.awaiting.settings import AsyncSettings
from weft.client.awaiting.signins import AsyncSignins
from weft.client.awaiting.tenants import AsyncTenants
from weft.client.awaiting.tools import AsyncTools
from weft.client.awaiting.triggers import AsyncTriggers
from weft.client.awaiting.usage import AsyncUsage
from weft.client.awaiting.users import AsyncUsers
from weft.client.awaiting.webhooks import AsyncWebhooks
from weft.client.awaiting.workflows import AsyncWorkflows
from weft.client.line import AsyncLine


class AsyncGroups:
    """Every group of operations."""

    def __init__(self, line: AsyncLine) -> None:
        self.health = AsyncHealth(line)
        self.workflows = AsyncWorkflows(line)
        self.runs = AsyncRuns(line)
        self.gates = AsyncGates(line)
        self.agents = AsyncAgents(line)
        self.tools = AsyncTools(line)
        self.schedules = AsyncSchedules(line)
        self.triggers = AsyncTriggers(line)
        self.plans = AsyncPlans(line)
        self.usage = AsyncUsage(line)
        self.audit = AsyncAudit(line)
        self.settings = AsyncSettings(line)
        self.sessions = AsyncSessions(line)
        self.webhooks = AsyncWebhooks(line)
        self.flags = AsyncFlags(line)
        self.tenants = AsyncTenants(line)
        self.users = AsyncUsers(line)
        self.roles = AsyncRoles(line)
        self.keys = AsyncKeys(line)
        self.signins = AsyncSignins(line)
        self.live = AsyncLive(line)

"""Many users: what it costs a request to find out who calls and whether they may ask so often, and how long a tenant's run stands
behind another's 10,000.

The real doorkeeper, limits, engine, worker and journal. The cost is the processor's time in this process, threads included.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import jwt
from pydantic import SecretStr

from report import publish
from weft.app.admission.cookies import SESSION
from weft.app.automation.worker import Worker
from weft.app.hosting import Host
from weft.app.identity import Known
from weft.app.rights import ROLES
from weft.core.clock import SystemClock
from weft.core.owner import Owner
from weft.core.settings import Settings
from weft.core.settings_model import IdentitySettings, Rates, Server
from weft.engine.local import Engine
from weft.engine.port import Done
from weft.plan.nodes import Call, Plan, Sequence
from weft.server.caller import Doorkeeper
from weft.store.journal import Journal

REQUESTS, STARTS = 5_000, 1_000
ISSUER, SECRET, AUDIENCE = "https://id.example.org", "s" * 40, "weft"
MANY = 1_000_000
"""A limit that is reckoned with, and never reached."""
QUEUED, DRIVEN = 10_000, 4
STEP_S = 0.5
LATE = 8


def micros(count: int, act: Callable[[], object]) -> float:
    """The processor's time of one `act`."""
    begun = time.process_time()
    for _ in range(count):
        act()
    return (time.process_time() - begun) / count * 1e6


async def admission() -> dict[str, float]:
    """One request's share, by what the caller shows."""
    rates = Rates(user_minute=MANY, user_hour=MANY, key_hour=MANY, tenant_hour=MANY, session_hour=MANY)
    identity = IdentitySettings(issuer=ISSUER, audience=AUDIENCE, secret=SecretStr(SECRET), role="operator")
    with tempfile.TemporaryDirectory() as folder:
        server = Server(token=SecretStr("t" * 40))
        host = Host(Settings(home=Path(folder), server=server, identity=identity, rates=rates))
        door, owner = Doorkeeper(host), Owner("acme", "ann")
        await host.identity.add_user("ann", "", "operator", tenant="acme")
        _, key = await host.identity.new_key("ann", "k", "operator", tenant="acme")
        session = await host.cookies.enter(Known(owner, ROLES["operator"], "operator"), "link", "benchmark")
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": int(time.time()) + 3_600}
        token = jwt.encode(claims, SECRET, algorithm="HS256")
        shown = {
            "key": {"authorization": f"Bearer {key}"},
            "token": {"authorization": f"Bearer {token}"},
            "session": {"cookie": f"{SESSION}={session}"},
        }
        metrics = {f"{name}_us": micros(REQUESTS, lambda h=headers: door.admit(h)) for name, headers in shown.items()}
        metrics["read_us"] = micros(REQUESTS, lambda: host.limits.read("acme", "ann"))
        begun = time.process_time()
        for _ in range(STARTS):
            await host.limits.start(owner)
        metrics["start_us"] = (time.process_time() - begun) / STARTS * 1e6
        await host.close()
    return metrics


class Steps:
    """Performs steps that take a while; `begun` says when the first one of each run began."""

    def __init__(self) -> None:
        self.begun: dict[str, float] = {}

    async def perform(self, call, scope, context):
        self.begun.setdefault(context.run_id, time.perf_counter())
        await asyncio.sleep(STEP_S)
        return Done(None)

    async def check(self, call, scope, context):
        return None


class Hands:
    """What a worker needs to drive runs."""

    def __init__(self, engine: Engine) -> None:
        self.start = engine.start
        self.drive = engine.drive
        self.cancel = engine.cancel


async def fairness() -> dict[str, float]:
    """From the queueing of a run to its first step: with nothing else to do, and behind the other tenant's queue."""
    plan = Plan(
        workflow="steps",
        root=Sequence(name="", children=tuple(Call(name=f"s{n}", performer="tool", target="work") for n in range(3))),
    )
    with tempfile.TemporaryDirectory() as folder:
        journal, steps = Journal(Path(folder) / "journal.db", durability="fast"), Steps()
        engine = Engine(journal, {"tool": steps})
        worker = Worker(journal, Hands(engine), SystemClock(), concurrency=DRIVEN)
        working = asyncio.ensure_future(worker.run(drain_s=0))

        async def late(tenant: str) -> float:
            run = await engine.start(plan, {}, queued=True, owner=Owner(tenant, "ann"))
            asked = time.perf_counter()
            journal.inbox.ring()
            while run not in steps.begun:
                assert time.perf_counter() - asked < 60, "it never came"
                await asyncio.sleep(0.002)
            return (steps.begun[run] - asked) * 1_000

        alone = [await late(f"alone-{number}") for number in range(DRIVEN)]
        for _ in range(0, QUEUED, 500):
            queued = (engine.start(plan, {}, queued=True, owner=Owner("big", "bob")) for _ in range(500))
            await asyncio.gather(*queued)
        journal.inbox.ring()
        await asyncio.sleep(2 * STEP_S)
        behind = [await late(f"small-{number}") for number in range(LATE)]
        worker.stop()
        await working
        await engine.close()
        journal.close()
    return {
        "alone_ms": statistics.median(alone),
        "behind_ms": statistics.median(behind),
        "behind_worst_ms": max(behind),
        "steps_later": (max(behind) - statistics.median(alone)) / (STEP_S * 1_000),
    }


if __name__ == "__main__":
    cases = {"admission": lambda: asyncio.run(admission()), "fairness": lambda: asyncio.run(fairness())}
    publish("weft", version("weft"), cases)

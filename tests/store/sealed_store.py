"""A store with something of every kind in it, each with a canary: a word that must not be found where it is sealed."""

from __future__ import annotations

import json

from weft.store import automations, chains, gates, requests, sessions, signals, task_hooks, tasks, webhooks, workflows
from weft.store.append import Append, NewRun
from weft.testing.conformance_store import AT, draft

CANARY = "wren-in-the-hedge"
SAID = f"what {CANARY} said"
LONG = f"{CANARY} " * 2_000


def begun(run_id, tenant="acme"):
    """The append that creates a run."""
    told = json.dumps({"said": CANARY})
    plan = json.dumps({"prompt": CANARY, "of": tenant}).encode()
    new = NewRun(run_id, "w", f"plan of {tenant}", plan, told, told, driver="me", tenant=tenant)
    return Append(run_id, 1, [draft(kind="run.created", value=CANARY)], create=new)


async def fill(journal, tenant="acme"):
    """Rows in every table that holds what users give and get; two runs of which one has ended."""
    write, mark = journal.writer.submit, tenant
    one, two = f"one-{mark}", f"two-{mark}"
    await journal.append(begun(one, tenant))
    await journal.append(begun(two, tenant))
    steps = [draft("/a", CANARY), draft("/long", LONG, outcome=True), draft("/again", LONG)]
    asked = gates.open_gate(f"gate-{mark}", one, "/g", {"ask": CANARY}, at=AT, due=None)
    shut = gates.open_gate(f"shut-{mark}", one, "/h", {"ask": CANARY}, at=AT, due=None)
    waits = json.dumps([{"gate": CANARY}])
    await journal.append(Append(one, 1, steps, patch={"status": "waiting", "waits": waits}, also=(asked, shut)))
    await write(gates.decide(f"shut-{mark}", {"choice": CANARY}, at=AT, expired=dict))
    ended = {"status": "failed", "outputs": json.dumps(CANARY), "error": json.dumps({"message": CANARY})}
    await journal.append(Append(two, 1, [draft("", CANARY, kind="run.failed")], patch=ended))
    await write(signals.send(one, name="n", data=json.dumps(CANARY), key="k", sender="me", at=AT))
    await write(journal.inbox.post(one, key="k", kind="wish", data={"x": CANARY}, at=AT))
    automation = automations.Automation(name="a", kind="run", rule={"r": CANARY}, request={"v": CANARY}, tenant=tenant)
    await write(automations.add(automation))
    firing = automations.Firing(
        automation="a",
        key="k",
        status="due",
        run_id="x",
        nominal=1,
        at=AT,
        variables={"v": CANARY},
        reason=CANARY,
        tenant=tenant,
    )
    await write(automations.fire([firing]))
    await write(workflows.register("w", f"prompt: {CANARY}", note=CANARY, principal="p", at=AT, tenant=tenant))
    request = requests.Request(
        principal="p", scope="s", key="k", body=CANARY, run_id=one, at=AT, until=AT + 1, tenant=tenant
    )
    await write(requests.hold(request))
    session = sessions.Session(id="s", target="w", principal="p", title=CANARY, tenant=tenant)
    await write(sessions.open_session(session))
    spoken = sessions.Spoken(run_id=one, role="user", session="s", principal="p", content=SAID, at=AT, tenant=tenant)
    await write(sessions.write_down([spoken]))
    await write(tasks.say(tasks.SaidTo(tenant=tenant, run_id=one, message="m", body=CANARY, principal="p", at=AT)))
    await write(
        chains.remember(chains.Chain(run_id=one, session="s", principal="p", chain=CANARY, at=AT, tenant=tenant))
    )
    hook = webhooks.Webhook(id="h", kind="weft", url=f"http://{CANARY}/", config={"c": CANARY}, tenant=tenant)
    await write(webhooks.add(hook))
    await write(webhooks.enqueue([webhooks.Delivery(webhook="h", id="d", body=CANARY, tenant=tenant)]))
    await write(webhooks.settle(webhooks.Delivery(webhook="h", id="d", body=CANARY, answer=CANARY, tenant=tenant)))
    push = task_hooks.Hook(
        tenant=tenant,
        principal="p",
        run_id=one,
        id="h",
        url=f"http://{CANARY}/",
        created_at=AT,
        secret={"token": CANARY},
    )
    await write(task_hooks.put(push))


def told(journal, tenant="acme"):
    """All of it as the store tells it, in plain data."""
    one, two = f"one-{tenant}", f"two-{tenant}"
    return [
        [journal.events(run_id) for run_id in (one, two)],
        [journal.runs.get(run_id) for run_id in (one, two)],
        journal.plans.get(f"plan of {tenant}"),
        journal.gates.of(one),
        journal.gates.decision(f"shut-{tenant}"),
        [(sent.name, sent.data) for sent in journal.signals.pending(one)],
        journal.automations.get("a", tenant=tenant),
        journal.automations.firings("a", tenant=tenant),
        journal.workflows.get("w", tenant=tenant),
        journal.sessions.get("s", tenant=tenant),
        journal.tasks.said_to(one, tenant=tenant),
        journal.webhooks.of(tenant=tenant),
        journal.webhooks.told(journal.webhooks.get("h", tenant=tenant)),
        journal.hooks.of(one, tenant=tenant),
    ]

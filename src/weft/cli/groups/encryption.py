"""``weft encryption``: the keys that seal the store."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from weft.app import encryption
from weft.cli.options import AsJson
from weft.cli.render.consoles import console
from weft.cli.render.figures import when
from weft.cli.terminal import clean, say, say_json, tell
from weft.core.clock import iso
from weft.core.errors import InputError
from weft.store.data_keys import NAMES, KeyRow
from weft.store.keyring import MasterKey

Tenant = Annotated[
    str | None,
    typer.Option("--tenant", metavar="ID", help="Of this tenant alone; of all by default.", show_default=False),
]
OneTenant = Annotated[str, typer.Argument(metavar="TENANT", help="Whose keys.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", "-f", help="Do it: what they have sealed is gone for good.")]
Values = Annotated[bool, typer.Option("--values", help="Look at every value and count those of each key.")]


def key(as_json: AsJson = False) -> None:
    """Make a master key and print it: 32 random bytes as Base64. It is kept nowhere; put it where your secrets are."""
    made = MasterKey.make()
    if as_json:
        say_json({"key": made, "id": MasterKey.read(made).id})
    else:
        say(made)


def status(values: Values = False, as_json: AsJson = False) -> None:
    """Show by which master key the store is sealed, and the data keys of each tenant."""
    found = encryption.status(values=values)
    plain = sum(count for (_, version), count in found.values.items() if version == 0)
    if as_json:
        counted = {"plain": plain} if values else {}
        keys = [
            {**_key(row), **({"values": found.values[row.tenant, row.version]} if values else {})} for row in found.keys
        ]
        say_json({"master": found.master, "writes": "sealed" if found.writes else "plain", "keys": keys, **counted})
        return
    say(f"Master key {found.master}; what is written is {'sealed' if found.writes else 'left plain'}.")
    table = Table("Tenant", "Data key", "Wrapped by", "Made", "State", *(["Values"] if values else []), box=None)
    for row in found.keys:
        name = "for names" if row.version == NAMES else str(row.version)
        count = [f"{found.values[row.tenant, row.version]:,}"] if values and row.version else [""] if values else []
        tenant = clean(row.tenant) or "(shared)"
        table.add_row(tenant, name, row.master, when(row.created_at), _state(row), *count)
    console().print(table)
    if values:
        say(f"{plain:,} values are in plain.")


def rewrap(as_json: AsJson = False) -> None:
    """Wrap all data keys by the master key of now. Nothing else is rewritten, and the older master key is needed no more."""
    master, done = encryption.rewrapped()
    if as_json:
        say_json({"master": master, "rewrapped": done})
    else:
        say(f"{done:,} data keys are now wrapped by the master key {master}.")


def rotate(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Give each tenant a new data key for what is written from now on; what older ones have sealed still opens."""
    made = encryption.rotated(tenant)
    if as_json:
        say_json({"rotated": made})
        return
    for one, version in made.items():
        say(clean(f"{one or '(shared)'}: data key {version}."))
    if not made:
        say("No tenant has a data key yet.")


def reseal(as_json: AsJson = False) -> None:
    """Seal what is plain or sealed with older data keys with the newest; with `encryption.write` plain, open everything."""
    seen: dict[str, int] = {}

    def told(table: str, done: int) -> None:
        if done != seen.get(table, 0):
            seen[table] = done
            tell(f"{table}: {done:,}")

    work = encryption.resealed(told)
    changed = {table: count for table, count in work.done.items() if count}
    if as_json:
        say_json({"changed": changed, "lost": work.lost, "state": "sealed" if work.keyring.writes else "plain"})
        return
    say(f"{sum(changed.values()):,} values were {'sealed anew' if work.keyring.writes else 'opened'}.")
    if work.lost:
        say(f"{work.lost:,} rows are sealed with keys that were shredded, and stay as they are.")


def shred(tenant: OneTenant, force: Force = False, as_json: AsJson = False) -> None:
    """Destroy the data keys of a tenant: nobody can read any more what its runs were given and have answered."""
    if not force:
        raise InputError(f"this destroys what is kept of the tenant {tenant!r}", fix="say --force if you mean it")
    keys = encryption.shredded(tenant)
    if as_json:
        say_json({"tenant": tenant, "shredded": keys})
    else:
        say(clean(f"{keys} data keys of {tenant} are destroyed."))


def _key(row: KeyRow) -> dict[str, object]:
    return {
        "tenant": row.tenant,
        "version": row.version,
        "master": row.master,
        "created_at": iso(row.created_at),
        "state": _state(row),
    }


def _state(row: KeyRow) -> str:
    if row.wrapped is None:
        return "shredded"
    return "in use" if row.ended_at is None else "put away"

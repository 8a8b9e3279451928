"""The plans that an engine has in hand, so that runs of one plan pay for its bytes and its hash once."""

from __future__ import annotations

from weft.core.canonical import as_written, digest
from weft.core.errors import MismatchError
from weft.plan.codec import from_json, plan_hash, to_json
from weft.plan.nodes import Plan
from weft.store.journal import Journal

_PLANS = 128


class Shelf:
    """Plans by object, sealed for the journal, and by hash, as the journal has them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._loaded: dict[str, Plan] = {}
        self._sealed: dict[int, tuple[Plan, str, bytes]] = {}

    def sealed(self, plan: Plan) -> tuple[str, bytes]:
        """The hash of a plan and the bytes it is stored as: in the order of its file, in which models are asked for what it names."""
        known = self._sealed.get(id(plan))
        if known is None or known[0] is not plan:
            if len(self._sealed) >= _PLANS:
                self._sealed.clear()
            known = self._sealed[id(plan)] = (plan, plan_hash(plan), as_written(to_json(plan)))
        return known[1], known[2]

    def load(self, hash_: str) -> Plan:
        """The stored plan with this hash.

        Raises:
            MismatchError: what is stored under this hash is something else.
        """
        plan = self._loaded.get(hash_)
        if plan is None:
            data = self._journal.plans.get(hash_)
            if digest(data) != hash_:
                raise MismatchError(
                    f"the stored plan {hash_[:12]} is not the one that the run was started with",
                    fix="restore the database from a backup",
                )
            if len(self._loaded) >= _PLANS:
                self._loaded.clear()
            plan = self._loaded[hash_] = from_json(data)
        return plan

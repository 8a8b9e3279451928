"""A thousand simulated agents in virtual time: the real plan, engine and journal, scripted answers, a partition that heals."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from report import peak_mb, publish
from weft.spec.model.swarm import Partition
from weft.testing.simulator.rehearsal import Simulation, rehearse

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
AGENTS = 1_000


def swarm(name: str) -> dict:
    simulation = Simulation(
        file=EXAMPLES / f"{name}.yaml",
        agents=AGENTS,
        seed=7,
        partitions=(Partition(first=2, last=6),),
    )
    report = rehearse(simulation)
    assert report.convergence["converged"], report.status
    return {
        "events_per_s": report.events / report.measured["seconds"],
        "events": report.events,
        "seconds": report.measured["seconds"],
        "peak_mb": peak_mb(),
    }


if __name__ == "__main__":
    publish("weft", "0.1.0", {"gossip": lambda: swarm("gossip"), "consensus": lambda: swarm("consensus")})

"""What every side of the comparison does: take a case from the command line, print one line of JSON."""

import json
import resource
import sys
from collections.abc import Callable, Mapping


def peak_mb() -> float:
    """The most memory that this process ever held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def publish(side: str, version: str, cases: Mapping[str, Callable[[], Mapping[str, float]]]) -> None:
    """Run the case that the command line names and print its metrics; list the cases when it names none."""
    if len(sys.argv) != 2 or sys.argv[1] not in cases:
        sys.exit(f"usage: {sys.argv[0]} {'|'.join(cases)}")
    case = sys.argv[1]
    metrics = cases[case]()
    print(json.dumps({"side": side, "version": version, "case": case, "metrics": metrics}))

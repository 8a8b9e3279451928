"""CPU time of short commands beside that of an interpreter which does nothing."""

import os
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from report import publish

ROOT = Path(__file__).resolve().parent.parent
WEFT = str(Path(sys.executable).parent / "weft")
COMMANDS = {
    "python_ms": [sys.executable, "-c", "pass"],
    "help_ms": [WEFT, "--help"],
    "validate_ms": [WEFT, "validate", str(ROOT / "examples" / "chain.yaml")],
}
TIMES = 11


def cpu_ms(command: list[str], environment: dict[str, str]) -> float:
    """User and system time of one run of `command`."""
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with status {process.returncode}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def measure() -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"WEFT_HOME": home}
        for number in range(TIMES):
            for name, command in COMMANDS.items():
                spent = cpu_ms(command, environment)
                if number:  # the first round fills the caches
                    times[name].append(spent)
    return {name: statistics.median(values) for name, values in times.items()}


if __name__ == "__main__":
    publish("weft", version("weft"), {"startup": measure})

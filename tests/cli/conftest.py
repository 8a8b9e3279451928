"""A folder to work in, a home of its own, and the command line, in this process or in one of its own."""

import json
import logging
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.processes import PIPE, Started, start
from tests.waiting import until
from weft.cli.main import execute

ROOT = Path(__file__).resolve().parents[2]

TOOLS = '''\
"""Functions that workflows of these tests call."""

import time
from pathlib import Path


def nap(name: str, seconds: float) -> str:
    """Sleep, and leave a mark that it happened."""
    time.sleep(seconds)
    with Path("effects.log").open("a", encoding="utf-8") as log:
        log.write(f"{name}\\n")
    return f"{name} slept"


def fail(message: str) -> str:
    """Never work."""
    print("a tool may print")
    raise ValueError(message)
'''


def steps(*naps: tuple[str, float], effect: str = "idempotent") -> str:
    """A chain of naps that needs neither model nor network."""
    lines = [
        "version: 1",
        "name: naps",
        "runtime: {provider: offline, model_id: extract, failure_policy: {retries: 0}}",
        "agents: {nobody: {prompt: unused}}",
        "tools:",
        "  python:",
        f"    - {{callable: 'napping:nap', id: nap, effect: {effect}}}",
        "    - {callable: 'napping:fail', id: fail}",
        "pattern:",
        "  type: chain",
        "  config:",
        "    steps:",
        *(
            f"      - {{tool: nap, id: {name}, args: {{name: {name}, seconds: {seconds}}}}}"
            if seconds >= 0
            else f"      - {{tool: fail, id: {name}, args: {{message: no luck}}}}"
            for name, seconds in naps
        ),
    ]
    return "\n".join(lines) + "\n"


@dataclass
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@dataclass
class Cli:
    """The command line in one folder and home. Call it to run a command here, `start` to run one in a process of its own."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    processes: list[Started] = field(default_factory=list)

    def __call__(self, *args: str) -> Said:
        self.capsys.readouterr()
        code = execute([str(arg) for arg in args])
        out, err = self.capsys.readouterr()
        return Said(code, out, err)

    def start(self, *args: str, **options) -> Started:
        process = start(args, **{"stdout": PIPE, "stderr": PIPE, "cwd": self.folder} | options)
        self.processes.append(process)
        return process

    def finish(self, process: Started, *, timeout: float = 60) -> Said:
        out, err = process.communicate(timeout=timeout)
        return Said(process.returncode, out, err)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def effects(self) -> list[str]:
        log = self.folder / "effects.log"
        return log.read_text().split() if log.exists() else []

    def wait_for_effects(self, count: int, *, timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout
        while len(self.effects()) < count:
            assert time.monotonic() < deadline, f"only {self.effects()} happened"
            time.sleep(0.01)

    def wait_for_event(self, kind: str, path: str, run: str = "last") -> None:
        """Wait until it is written. An effect is seen before it is durable; only what is recorded may not happen again."""
        until(
            lambda: any(
                event["path"] == path and event["kind"].startswith(kind) for event in self("events", run, "--json").json
            )
        )

    def wake(self) -> None:
        """From now on naps take no time."""
        (self.folder / "napping.py").write_text(TOOLS.replace("time.sleep(seconds)", "pass"))

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


@pytest.fixture
def weft(tmp_path, monkeypatch, capsys):
    """The command line in a fresh folder, with a fresh home."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "napping.py").write_text(TOOLS)
    for name in [name for name in os.environ if name.startswith("WEFT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WEFT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WEFT_TOOLS__ALLOWED_MODULES", "napping")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(ROOT / "src")]))
    monkeypatch.setenv("PYTHONUTF8", "1")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "napping", raising=False)
    cli = Cli(folder, capsys)
    yield cli
    cli.stop()
    logger = logging.getLogger("weft")
    for handler in tuple(logger.handlers):
        logger.removeHandler(handler)

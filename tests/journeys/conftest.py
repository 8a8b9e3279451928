"""A desk to work at: a project folder, a home of its own, and the real command line in processes of its own.

Whatever a journey does, at its end nothing that it left behind holds a planted secret, and nothing that it printed a traceback.
"""

import contextlib
import fcntl
import json
import logging
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.processes import Started, start
from weft.cli.main import execute
from weft.testing.providers import FakeProvider

ROOT = Path(__file__).resolve().parents[2]
CANARIES = {
    "MAIL_TOKEN": "canary-mail-4f1b7c20a9",
    "WEFT_UNUSED_SECRET": "canary-unused-77d0e3b1",
}
PROVIDER_KEY = "canary-provider-9c52ab61f3"
LIMIT_MB = 700
"""What a command may take at most; most take a tenth of it, and what runs away takes gigabytes."""


def megabytes(pid: int) -> float:
    """The most memory that a living process has had so far. What the kernel says at its end would count the process that forked it."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


@dataclass(frozen=True)
class Said:
    """What a command said, how long it took and what it took of memory."""

    code: int
    out: str
    err: str
    seconds: float
    megabytes: float

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def all(self) -> str:
        """Everything that was printed, with line breaks and indentation evened out."""
        return " ".join(f"{self.out}\n{self.err}".split())


@dataclass
class Desk:
    """One person's project folder and home, and the command line there."""

    folder: Path
    home: Path
    environ: dict[str, str]
    printed: list[str] = field(default_factory=list)
    processes: list[Started] = field(default_factory=list)
    written: dict[str, bytes] = field(default_factory=dict)

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = text.encode() if isinstance(text, str) else text
        path.write_bytes(content)
        self.written[str(path)] = content
        return path

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def reach(self, fake: FakeProvider) -> FakeProvider:
        """Make commands find the provider at `fake`."""
        self.environ |= fake.environ
        return fake

    def start(self, *args: object, **options) -> Started:
        number = len(self.processes)
        with (self.home / f"{number}.out").open("wb") as out, (self.home / f"{number}.err").open("wb") as err:
            given = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err} | options
            process = start(args, cwd=self.folder, env=self.environ, **given)
        self.processes.append(process)
        return process

    def finish(self, process: Started, *, within: float = 60) -> Said:
        """Wait for a command; one that takes longer than `within` seconds is killed and fails the journey."""
        began = time.monotonic()
        alarm = threading.Timer(within, process.kill)
        alarm.start()
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, megabytes(process.pid))
            time.sleep(0.01)
        alarm.cancel()
        took = time.monotonic() - began
        assert took < within, f"{process.args} was killed after {within} s"
        number = self.processes.index(process)
        out, err = ((self.home / f"{number}.{name}").read_text("utf-8", "replace") for name in ("out", "err"))
        self.printed += [out, err]
        return Said(process.returncode, out, err, took, peak)

    def __call__(self, *args: object, within: float = 60) -> Said:
        return self.finish(self.start(*args), within=within)

    def on_terminal(self, *args: object) -> Said:
        """A command whose standard error is a terminal; what it drew there is its `err`."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.environ["TERM"] = "xterm-256color"
        process = self.start(*args, stderr=theirs)
        os.close(theirs)
        drawn = bytearray()
        with contextlib.suppress(OSError):  # a terminal ends with an error
            while piece := os.read(ours, 65_536):
                drawn += piece
        os.close(ours)
        said = self.finish(process)
        self.printed.append(drawn.decode("utf-8", "replace"))
        return replace(said, err=self.printed[-1])

    def events(self, kind: str = "", run: str = "last") -> list[dict]:
        return [event for event in self("events", run, "--json").json if event["kind"].startswith(kind)]

    def left(self) -> dict[str, bytes]:
        """What is in every file below the project and the home now, but for what a person wrote."""
        files = [path for folder in (self.home, self.folder) for path in folder.rglob("*") if path.is_file()]
        contents = {str(path): path.read_bytes() for path in files if path.stat().st_size < 100_000_000}
        return {name: content for name, content in contents.items() if self.written.get(name) != content}

    def close(self) -> None:
        for process in self.processes:
            if process.returncode is None:
                process.kill()
                process.wait()

    def check(self) -> None:
        """No planted secret anywhere, no traceback printed."""
        for name, content in self.left().items():
            for canary in (*CANARIES.values(), PROVIDER_KEY):
                assert canary.encode() not in content, f"{canary} is in {name}"
        assert not [text for text in self.printed if "Traceback" in text]


@pytest.fixture
def desk(tmp_path):
    """A desk with a fresh home, no key, and secrets in the environment that nothing may ever show."""
    folder, home = tmp_path / "project", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONWARNINGS": "error",
        "WEFT_HOME": str(home / "weft"),
        **{name: value for name, value in CANARIES.items() if not name.startswith("WEFT_")},
    }
    one = Desk(folder, home, environ)
    yield one
    one.close()
    one.check()


@dataclass
class NearDesk(Desk):
    """A desk whose commands run in this process: for shelves of files, where a process for each command proves nothing more."""

    capsys: pytest.CaptureFixture[str] | None = None
    monkeypatch: pytest.MonkeyPatch | None = None

    def reach(self, fake: FakeProvider) -> FakeProvider:
        for name, value in fake.environ.items():
            self.monkeypatch.setenv(name, value)
        return super().reach(fake)

    def __call__(self, *args: object, within: float = 60) -> Said:
        self.capsys.readouterr()
        began = time.monotonic()
        code = execute([str(arg) for arg in args])
        took = time.monotonic() - began
        assert took < within, f"{args} took {took:.0f} s"
        out, err = self.capsys.readouterr()
        self.printed += [out, err]
        return Said(code, out, err, took, 0.0)


@pytest.fixture
def near_desk(tmp_path, monkeypatch, capsys):
    """A desk as `desk` is, whose commands run in this process."""
    folder, home = tmp_path / "project", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    for name in [name for name in os.environ if name.startswith(("WEFT_", "OPENAI_", "ANTHROPIC_", "AWS_"))]:
        monkeypatch.delenv(name)
    environ = {"HOME": str(tmp_path), "WEFT_HOME": str(home / "weft"), "MAIL_TOKEN": CANARIES["MAIL_TOKEN"]}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    one = NearDesk(folder, home, environ, capsys=capsys, monkeypatch=monkeypatch)
    yield one
    logger = logging.getLogger("weft")
    for handler in tuple(logger.handlers):
        logger.removeHandler(handler)
    one.check()


def flow(text: str, *, provider: str = "openai", model: str = "gpt-4o-mini", name: str = "journey") -> str:
    """A workflow file: the head that most of them share, then `text`."""
    return f"version: 1\nname: {name}\nruntime:\n  provider: {provider}\n  model_id: {model}\n{text}"


def plain(text: str) -> str:
    """`text` without what is a matter of style: capitals, and the mark between a sentence and what is quoted after it."""
    return text.lower().replace("). ", "): ").replace(". ", "; ").replace("..", ".")


def pytest_collection_modifyitems(items):
    """Journeys start many processes: they are for `make test`, not for the quick check."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)

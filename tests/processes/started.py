"""A started command, with what `subprocess.Popen` has of use to tests."""

import atexit
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple, Self

PIPE = subprocess.PIPE
_ROOT = Path(__file__).parents[2]


class Started:
    """A process that runs ``module.main()`` with `argv`; its output goes to files, or through a pipe (`PIPE`)."""

    def __init__(self, argv: Sequence[str], *, env, cwd, stdin, stdout, stderr, module: str) -> None:
        self.args = list(argv)
        self.returncode: int | None = None
        given, kept = [], []
        self.stdin = _end(stdin, given, kept, reading=True)
        self.stdout = _end(stdout, given, kept)
        self.stderr = _end(stderr, given, kept) if stderr != subprocess.STDOUT else given.append(given[1])
        self._line = socket.socket(socket.AF_UNIX)
        self._line.connect(str(nursery()))
        body = json.dumps({"argv": self.args, "env": dict(env), "cwd": str(cwd), "module": module}).encode()
        socket.send_fds(self._line, [struct.pack("!i", len(body))], given)
        self._line.sendall(body)
        self.pid = struct.unpack("!i", self._line.recv(4))[0]
        for one in kept:
            os.close(one)

    def poll(self) -> int | None:
        """Its exit status as `subprocess` has it, or nothing while it lives."""
        if self.returncode is None and select.select([self._line], [], [], 0)[0]:
            self._read()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: It lives on after `timeout` seconds.
        """
        if self.returncode is None:
            if not select.select([self._line], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self._read()
        return self.returncode

    def _read(self) -> None:
        told = self._line.recv(4)
        self._line.close()
        assert told, "the process that all commands are forked from is gone"
        self.returncode = struct.unpack("!i", told)[0]

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def communicate(self, *, timeout: float | None = None) -> tuple[str, str]:
        """All that it writes to its pipes (what was not read before), and its end."""
        read = ["", ""]

        def drain(number: int, stream) -> None:
            read[number] = stream.read()
            stream.close()

        threads = [
            threading.Thread(target=drain, args=(number, stream), daemon=True)
            for number, stream in enumerate((self.stdout, self.stderr))
            if stream is not None and not stream.closed
        ]
        for one in threads:
            one.start()
        self.wait(timeout)
        for one in threads:
            one.join(timeout)
        return read[0], read[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()


def start(
    argv: Sequence[object],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
    stdin: object = subprocess.DEVNULL,
    stdout: object = None,
    stderr: object = None,
    module: str = "weft.cli.main",
) -> Started:
    """Start ``weft ARGV`` (or another module's `main`); the streams are files, numbers, `PIPE`, or this process's own."""
    return Started(
        [str(one) for one in argv],
        env=os.environ if env is None else env,
        cwd=Path.cwd() if cwd is None else cwd,
        stdin=stdin,
        stdout=1 if stdout is None else stdout,
        stderr=2 if stderr is None else stderr,
        module=module,
    )


class Said(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


def command(*argv: object, env: Mapping[str, str] | None = None, cwd: Path | str | None = None) -> Said:
    """Run ``weft ARGV`` to its end."""
    process = start(argv, env=env, cwd=cwd, stdout=PIPE, stderr=PIPE)
    out, err = process.communicate(timeout=120)
    return Said(process.returncode, out, err)


def _end(asked: object, given: list[int], kept: list[int], *, reading: bool = False):
    """Append the child's end to `given`, and to `kept` what is to be closed here; our end of a pipe, if it is one."""
    if asked == subprocess.PIPE:
        out, into = os.pipe()
        given.append(out if reading else into)
        kept.append(given[-1])
        return os.fdopen(into, "w", encoding="utf-8") if reading else os.fdopen(out, encoding="utf-8")
    if asked == subprocess.DEVNULL:
        given.append(os.open(os.devnull, os.O_RDWR))
        kept.append(given[-1])
    else:
        given.append(asked if isinstance(asked, int) else asked.fileno())
    return None


@cache
def nursery() -> Path:
    """The socket of this process's own nursery, which is begun when it is first asked for and ends with this process."""
    folder = tempfile.mkdtemp(prefix="weft-nursery-")
    path = Path(folder) / "socket"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WEFT_", "OPENAI_"))}
    command = [sys.executable, "-m", "tests.processes.nursery", str(path)]
    process = subprocess.Popen(command, env=clean, cwd=_ROOT, stdin=subprocess.PIPE)

    def end() -> None:
        process.communicate()
        shutil.rmtree(folder)

    atexit.register(end)
    while not path.exists():
        assert process.poll() is None, "what all commands are forked from did not begin"
        time.sleep(0.01)
    return path


def write_program(path: Path) -> None:
    """Make `path` a program ``weft`` for shells: it hands all that it is given to the nursery, and signals to the command there."""
    script = Path(__file__).with_name("program.py").read_text(encoding="utf-8")
    path.write_text(f"#!{sys.executable} -IS\nSOCKET = {str(nursery())!r}\n{script}", encoding="utf-8")
    path.chmod(0o755)

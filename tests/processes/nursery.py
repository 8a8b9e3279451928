"""The process that has loaded everything and is forked for each command: ``python -m tests.processes.nursery SOCKET``.

Whoever wants a command connects to the socket at that path, and sends a length, then JSON ``{"argv", "cwd", "env", "module"}``, with
three descriptors: standard input, output and error. The answers are the child's id and, at its end, its exit status (4 bytes
each, the status as `os.waitstatus_to_exitcode` has it). A child whose asker goes away is killed. All ends with standard input.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path

LOADED = ("weft.cli.serving", "weft.cli.drive", "weft.cli.main", "weft.app.local", "weft.agents")


def attend(listening: socket.socket) -> dict:
    """Fork a child for each request; returns only in such a child, with what it was asked to be."""
    children: dict[int, socket.socket] = {}
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    while True:
        ready, _, _ = select.select([listening, 0, woken, *children.values()], [], [])
        if 0 in ready:
            # Nobody outlives the tests: a service that did would sit on its port.
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            os._exit(0)
        if woken in ready:
            os.read(woken, 4_096)
            reap(children)
        for pid, asker in list(children.items()):
            if asker in ready and asker.fileno() >= 0:
                os.kill(pid, signal.SIGKILL)
                children[pid] = socket.socket()  # nobody is told
                asker.close()
        if listening in ready:
            asker, _ = listening.accept()
            request, descriptors = receive(asker)
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                # Also where the tests themselves were started as what outlives its terminal.
                signal.signal(signal.SIGHUP, signal.SIG_DFL)
                become(request, descriptors)
                return request
            for one in descriptors:
                os.close(one)
            children[pid] = asker
            asker.sendall(struct.pack("!i", pid))


def receive(asker: socket.socket) -> tuple[dict, list[int]]:
    head, descriptors, _, _ = socket.recv_fds(asker, 4, 3)
    size = struct.unpack("!i", head)[0]
    body = b""
    while len(body) < size:
        body += asker.recv(size - len(body))
    return json.loads(body), list(descriptors)


def reap(children: dict[int, socket.socket]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with children.pop(pid) as asker, contextlib.suppress(OSError):
            asker.sendall(struct.pack("!i", os.waitstatus_to_exitcode(status)))


def become(request: dict, descriptors: list[int]) -> None:
    """Make this child what the interpreter would be if it had been started anew."""
    for number, given in enumerate(descriptors):
        os.dup2(given, number)
    os.closerange(3, 4_096)
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    given = [one for one in request["env"].get("PYTHONPATH", "").split(os.pathsep) if one]
    sys.path[:1] = [request["cwd"], *given]
    sys.argv = [request["module"], *request["argv"]]
    encoding = request["env"].get("PYTHONIOENCODING", "utf-8")
    sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115 -- the standard streams stay open
    sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding=encoding, buffering=1, closefd=False)  # noqa: SIM115


def main() -> None:
    for name in LOADED:
        importlib.import_module(name)
    # What is there already is never written to by a collection in a child, and so stays shared.
    gc.collect()
    gc.freeze()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"{sys.argv[1]}.new")
    listening.listen(64)
    Path(f"{sys.argv[1]}.new").rename(sys.argv[1])
    request = attend(listening)
    importlib.import_module(request["module"]).main()


if __name__ == "__main__":
    main()

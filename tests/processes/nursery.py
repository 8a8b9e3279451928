"""The process that has loaded everything and is forked for each command: ``python -m tests.processes.nursery FD``.

A request on the socket FD is a length, then JSON ``{"argv", "cwd", "env", "module"}``, with four descriptors: standard input, output,
error, and where the exit status is to be written (4 bytes, as `os.waitstatus_to_exitcode` has it). The answer is the child's id.
"""

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

LOADED = ("weft.cli.serving", "weft.cli.drive", "weft.cli.main", "weft.app.local", "weft.agents")


def attend(control: socket.socket) -> dict:
    """Fork a child for each request; returns only in such a child, with what it was asked to be."""
    waiting: dict[int, int] = {}
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            os.read(woken, 4_096)
            reap(waiting)
        if control in ready:
            asked = receive(control)
            if asked is None:
                os._exit(0)
            request, descriptors = asked
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                become(request, descriptors)
                return request
            *streams, status = descriptors
            for one in streams:
                os.close(one)
            waiting[pid] = status
            control.sendall(struct.pack("!i", pid))


def receive(control: socket.socket) -> tuple[dict, list[int]] | None:
    head, descriptors, _, _ = socket.recv_fds(control, 4, 4)
    if not head:
        return None
    size = struct.unpack("!i", head)[0]
    body = b""
    while len(body) < size:
        body += control.recv(size - len(body))
    return json.loads(body), list(descriptors)


def reap(waiting: dict[int, int]) -> None:
    while waiting:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        told = waiting.pop(pid)
        try:
            os.write(told, struct.pack("!i", os.waitstatus_to_exitcode(status)))
        except BrokenPipeError:
            pass  # whoever asked for it is gone
        os.close(told)


def become(request: dict, descriptors: list[int]) -> None:
    """Make this child what the interpreter would be if it had been started anew."""
    for number, given in enumerate(descriptors[:3]):
        os.dup2(given, number)
    os.closerange(3, 1_024)
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
    control = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(control.fileno(), False)
    for name in LOADED:
        importlib.import_module(name)
    # What is there already is never written to by a collection in a child, and so stays shared.
    gc.collect()
    gc.freeze()
    request = attend(control)
    importlib.import_module(request["module"]).main()


if __name__ == "__main__":
    main()

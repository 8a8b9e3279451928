"""Runs Python code that an agent wrote; a program of its own, which `python_exec` starts and can kill.

Before the code runs, the process gives up what it can: time, memory and file size are limited, it leaves for namespaces without
a network and without the processes of others, and it keeps the right to read Python's own files and to use its scratch folder, and
no other. What the kernel did not grant is written to the descriptor that `held` names. It imports nothing of Weft.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import resource
import struct
import sys
import traceback

_NEW_USER, _NEW_NET, _NEW_PID = 0x10000000, 0x40000000, 0x20000000
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2
_READ, _ALL = 0b1101, (1 << 13) - 1
_SYSCALLS = {"x86_64": (0xC000003E, 41, 425), "aarch64": (0xC00000B7, 198, 425)}
_FAILED = 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def main() -> None:
    """Run the code that the file `argv[1]` holds, within the limits of `argv[2]`."""
    source, limits = sys.argv[1], json.loads(sys.argv[2])
    with open(source, encoding="utf-8") as file:  # noqa: PTH123 -- nothing is imported that is not needed
        code = file.read()
    libc = ctypes.CDLL(None, use_errno=True)
    apart = libc.unshare(_NEW_USER | _NEW_NET | _NEW_PID) == 0
    if apart and (child := os.fork()):
        # In its own namespace the child is the first process: when it dies, everything that it started dies with it.
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    _limit(limits)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    files = _confine(libc, os.getcwd())  # noqa: PTH109 -- nothing is imported that is not needed
    network = _silence(libc) or apart
    held = limits["held"]
    os.write(held, json.dumps({"network": not network, "files": not files}).encode())
    os.close(held)
    _run(code)


def _run(code: str) -> None:
    sys.argv = ["<code>"]
    names = {"__name__": "__main__", "__builtins__": __builtins__}
    status = 0
    try:
        exec(compile(code, "<code>", "exec"), names)  # noqa: S102 -- what it is for
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else _FAILED if left.code else 0
    except BaseException as error:  # noqa: BLE001 -- whatever the code raises is its answer
        trace = error.__traceback__
        traceback.print_exception(type(error), error, trace.tb_next if trace else None)
        status = _FAILED
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status & 0xFF)


def _limit(limits: dict[str, int]) -> None:
    for kind, limit in (
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_CPU, limits["cpu"]),
        (resource.RLIMIT_FSIZE, limits["file"]),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        # Not every system has every limit; the caller's clock holds in any case.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (limit, limit))


def _confine(libc: ctypes.CDLL, scratch: str) -> bool:
    """Keep the right to read Python's own files and to use `scratch` alone (Landlock). False where the kernel has none."""
    create, add, restrict = 444, 445, 446
    handled = struct.pack("Q", _ALL)
    rules = libc.syscall(create, handled, len(handled), 0)
    if rules < 0:
        return False
    for path, allowed in (
        *((path, _READ) for path in (sys.base_prefix, "/usr", "/lib", "/lib64")),
        ("/dev/null", 0b110),
        ("/dev/urandom", 0b100),
        (scratch, _ALL),
    ):
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        libc.syscall(add, rules, 1, struct.pack("=Qi", allowed, place), 0)
        os.close(place)
    done = bool(libc.syscall(restrict, rules, 0) == 0)
    os.close(rules)
    return done


def _silence(libc: ctypes.CDLL) -> bool:
    """Refuse sockets, those of this machine apart (seccomp). False where that is not known how to do."""
    known = _SYSCALLS.get(platform.machine())
    if known is None:
        return False
    arch, socket, ring = known
    load, equal, give = 0x20, 0x15, 0x06
    refuse, allow, kill = 0x00050000 | 13, 0x7FFF0000, 0x80000000
    # The sixth step skips the look at the family of a socket for every other call; the fifth refuses rings, which open sockets too.
    steps = (
        (load, 0, 0, 4),
        (equal, 1, 0, arch),
        (give, 0, 0, kill),
        (load, 0, 0, 0),
        (equal, 3, 0, ring),
        (equal, 0, 3, socket),
        (load, 0, 0, 16),
        (equal, 1, 0, 1),
        (give, 0, 0, refuse),
        (give, 0, 0, allow),
    )
    program = _Program(len(steps), b"".join(struct.pack("HBBI", *step) for step in steps))
    return bool(libc.prctl(_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0)


if __name__ == "__main__":
    main()

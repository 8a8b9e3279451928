"""What a shell calls for ``weft``; `SOCKET` is written above it. It imports next to nothing: it is started for each command."""

import json
import os
import signal
import socket
import struct
import sys

line = socket.socket(socket.AF_UNIX)
line.connect(SOCKET)  # noqa: F821 -- see above
here = os.getcwd()  # noqa: PTH109 -- pathlib would take longer to import than all of this
request = {"argv": sys.argv[1:], "env": dict(os.environ), "cwd": here, "module": "weft.cli.main"}
body = json.dumps(request).encode()
socket.send_fds(line, [struct.pack("!i", len(body))], [0, 1, 2])
line.sendall(body)
pid = struct.unpack("!i", line.recv(4))[0]
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: os.kill(pid, number))
status = struct.unpack("!i", line.recv(4))[0]
if status < 0:
    signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
    os.kill(os.getpid(), -status)
sys.exit(status)

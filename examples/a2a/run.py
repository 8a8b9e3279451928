"""Four services on free ports, each a `weft up`: an orchestrator and the three agents that it asks over A2A.

    python examples/a2a/run.py "When should the ferry leave?"

Everything is stopped at the end; with --stay the services run until Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

HERE = Path(__file__).resolve().parent
PLACES = {"reasoning": "http://127.0.0.1:8491", "rag": "http://127.0.0.1:8492", "planning": "http://127.0.0.1:8493"}


def serve(folder: Path, home: Path) -> tuple[subprocess.Popen[str], str]:
    """Start a service over `folder` on a free port; the process and its address."""
    environ = {**os.environ, "WEFT_HOME": str(home), "WEFT_NET__ALLOW_LOOPBACK": "true"}
    command = [sys.executable, "-m", "weft", "up", str(folder), "--port", "0", "--json"]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["url"]


def ask(url: str, question: str) -> Iterator[dict]:
    """Send a question to the service at `url`, and yield what happens."""
    message = {"messageId": os.urandom(8).hex(), "role": "ROLE_USER", "parts": [{"text": question}]}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": {"message": message}}
    headers = {"Content-Type": "application/json", "A2A-Version": "1.0"}
    with urlopen(Request(f"{url}/a2a", json.dumps(body).encode(), headers), timeout=120) as stream:
        for line in stream:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])["result"]


def tell(event: dict) -> None:
    """Print one event for people."""
    if "statusUpdate" in event:
        update = event["statusUpdate"]
        words = " ".join(part.get("text", "") for part in update["status"].get("message", {}).get("parts", []))
        print(f"{update['status']['state'].removeprefix('TASK_STATE_').lower():10} {words}", flush=True)
    elif event.get("artifactUpdate", {}).get("lastChunk"):
        print("answer    ", " ".join(part.get("text", "") for part in event["artifactUpdate"]["artifact"]["parts"]))


def main() -> None:
    """Start the services, ask, and stop them."""
    parser = argparse.ArgumentParser(description="Four services that ask one another over A2A.")
    parser.add_argument("question", nargs="?", default="When should the ferry leave?")
    parser.add_argument("--stay", action="store_true", help="keep the services running")
    options = parser.parse_args()
    running: list[subprocess.Popen[str]] = []
    with tempfile.TemporaryDirectory() as scratch:
        try:
            text = (HERE / "orchestrator" / "orchestrator.yaml").read_text(encoding="utf-8")
            for name, place in PLACES.items():
                process, url = serve(HERE / name, Path(scratch) / name)
                running.append(process)
                text = text.replace(place, url)
                print(f"{name:12} {url}", flush=True)
            flows = Path(scratch) / "flows"
            flows.mkdir()
            (flows / "orchestrator.yaml").write_text(text, encoding="utf-8")
            process, url = serve(flows, Path(scratch) / "orchestrator")
            running.append(process)
            print(f"orchestrator {url}", flush=True)
            for event in ask(url, options.question):
                tell(event)
            if options.stay:
                signal.pause()
        except KeyboardInterrupt:
            pass
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait(timeout=60)


if __name__ == "__main__":
    main()

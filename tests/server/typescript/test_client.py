"""The TypeScript client: generated from the document, checked by its compiler, and run against the service."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.npm_servers import NODE, NPM
from tests.server.control.service import Api, Served

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
CLIENT = ROOT / "clients" / "typescript"
FOLDER = Path(sys.prefix) / "npm-typescript"
ENVIRON = {**os.environ, "PATH": f"{NODE}{os.pathsep}{os.environ['PATH']}"}
STORY = """
import { Weft, WeftError, data, items } from "@weft/client";

const weft = new Weft({ url: process.argv[2]!, token: "a-token-that-is-long-enough-to-be-one" });
const told: Record<string, unknown> = {};

const run = await weft.start("letter", { note: "We meet at noon." }, { key: "letter-1" });
told.same = (await weft.start("letter", { note: "We meet at noon." }, { key: "letter-1" })).id === run.id;
const kinds: string[] = [];
for await (const event of weft.stream(run.id)) {
  if (event.type === "delta") continue;
  kinds.push(event.type);
  if (event.type !== "run.waiting") continue;
  const open = await data(weft.api.GET("/api/v1/gates", { params: { query: { run: run.id } } }));
  const gate = open.items[0]!;
  told.prompt = gate.prompt;
  told.decided = (await weft.decide(gate.id, { choice: "send", saw: gate.shown, why: "" })).decision.choice;
}
told.kinds = kinds;
for (let count = 0; count < 4; count++) await weft.start("brief", { text: String(count) }, { session: "pages" });
told.listed = 0;
const page = (cursor?: string) =>
  weft.api.GET("/api/v1/runs", { params: { query: { session: "pages", limit: 3, ...(cursor ? { cursor } : {}) } } });
for await (const item of items(page)) {
  if (item.session === "pages") told.listed = (told.listed as number) + 1;
}
try {
  await weft.api.GET("/api/v1/runs/{run_id}", { params: { path: { run_id: "nothing" } } });
} catch (error) {
  if (!(error instanceof WeftError)) throw error;
  told.refused = [error.code, error.status, error.message];
}
const stop = new AbortController();
const begun = weft.start("brief", { text: "news" });
for await (const item of weft.news(["runs", `run/${run.id}`], { signal: stop.signal, last: "nothing-0" })) {
  if (item.topic !== "runs") continue;
  told.news = item.topic;
  break;
}
await begun;

// It stops listening to a run, which goes on without it; the service dies while it listens again.
const nap = await weft.start("nap", {});
const heard: number[] = [];
for await (const event of weft.stream(nap.id)) {
  heard.push(event.seq);
  break;
}
for await (const event of weft.stream(nap.id, { last: heard[0]! })) {
  if (event.type === "delta") continue;
  heard.push(event.seq);
  if (event.type === "run.waiting") console.log("waiting");
}
told.whole = heard.every((seq, place) => seq === place + 1);
console.log(JSON.stringify(told));
"""
WRONG = 'import { Weft } from "@weft/client";\nawait new Weft().start(7);\n'


@pytest.fixture(scope="module")
def built():
    """The client in a folder with what it needs from npm, compiled; several processes of tests take turns to make it."""
    FOLDER.mkdir(exist_ok=True)
    wanted = (CLIENT / "package.json").read_text()
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = FOLDER / "installed.json"
        if not (stamp.exists() and stamp.read_text() == wanted):
            (FOLDER / "package.json").write_text(wanted)
            run(NODE / "node", NPM, "install", "--no-audit", "--no-fund", "--ignore-scripts")
            stamp.write_text(wanted)
        for name in ("src", "dist", "check"):
            shutil.rmtree(FOLDER / name, ignore_errors=True)
        shutil.copytree(CLIENT / "src", FOLDER / "src")
        shutil.copy(CLIENT / "tsconfig.json", FOLDER)
        run(NODE / "node", "node_modules/typescript/bin/tsc")
        (FOLDER / "check").mkdir()
        own = json.loads((CLIENT / "tsconfig.json").read_text())
        own["compilerOptions"] |= {"rootDir": "check", "outDir": "check", "types": ["node"], "declaration": False}
        (FOLDER / "check.json").write_text(json.dumps(own | {"include": ["check"], "exclude": []}))
        yield FOLDER


def run(*command, expect=0):
    done = subprocess.run(command, cwd=FOLDER, env=ENVIRON, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode == 0) == (expect == 0), done.stdout + done.stderr
    return done.stdout


def compiled(name, text, *, expect=0):
    for path in (FOLDER / "check").glob("*"):
        path.unlink()
    (FOLDER / "check" / name).write_text(text)
    return run(NODE / "node", "node_modules/typescript/bin/tsc", "-p", "check.json", expect=expect)


def test_the_types_are_what_the_document_gives(built, tmp_path):
    fresh = tmp_path / "schema.ts"
    run(NODE / "node", "node_modules/openapi-typescript/bin/cli.js", ROOT / "schema" / "openapi.json", "-o", fresh)
    kept = (CLIENT / "src" / "schema.ts").read_text()
    assert fresh.read_text() == kept, "run `npm run generate` in clients/typescript"


def test_wrong_use_does_not_compile(built):
    assert "error TS2345" in compiled("wrong.ts", WRONG, expect=2)


def test_the_example_of_its_page_compiles(built):
    (example,) = re.findall(r"^```ts\n(.*?)^```$", (CLIENT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    compiled("example.ts", example)


def test_it_runs_against_the_service(built, tmp_path):
    compiled("story.ts", STORY)
    served = Served(tmp_path / "service", WEFT_SERVER__TOKEN="a-token-that-is-long-enough-to-be-one").start()
    command = [NODE / "node", "check/story.js", served.url]
    try:
        with subprocess.Popen(
            command, cwd=FOLDER, env=ENVIRON, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as story:
            try:
                assert story.stdout.readline() == "waiting\n", story.stderr.read()
                served.restart()
                with Api(served.url, Authorization="Bearer a-token-that-is-long-enough-to-be-one") as api:
                    (nap,) = api.get("/runs", workflow="nap")["items"]
                    api.post(f"/runs/{nap['id']}/signal", {"name": "wake"}, expect=202)
                said, wrong = story.communicate(timeout=60)
            finally:
                story.kill()  # it would be waited for without end
        assert story.returncode == 0, wrong
        told = json.loads(said.splitlines()[-1])
    finally:
        served.kill()
    kinds = told.pop("kinds")
    assert kinds[0] == "run.created" and kinds[-1] == "run.completed" and "run.waiting" in kinds
    assert told.pop("refused") == ["not-found", 404, "there is no run 'nothing'"]
    assert told == {"same": True, "prompt": "Send it?", "decided": "send", "listed": 4, "news": "runs", "whole": True}

"""A secret of every kind of place goes where it is sent, and nowhere else: whatever Weft wrote is searched for it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.secrets.stores import Store

pytestmark = pytest.mark.slow

FLOW = """\
version: 1
name: calls
runtime: {provider: offline, model_id: extract}
env:
  secrets:
    - {key: CANARY, source: env, name: A}
    - {key: canary, source: file, name: B}
    - {key: kv/canary, source: vault, path: password, name: C}
    - {key: canary, source: azure_key_vault, name: D}
    - {key: weft/canary, source: secrets_manager, name: E}
    - {key: /weft/canary, source: ssm, name: F}
agents: {nobody: {prompt: unused}}
tools:
  http_executors:
    - {id: echo, base_url: "URL", headers: {X-A: "${A}", X-B: "${B}", X-C: "Bearer ${C}", X-D: "${D}", X-E: "${E}", X-F: "${F}"}}
pattern:
  type: chain
  config:
    steps:
      - {id: first, tool: echo, args: {path: /echo}}
      - {id: second, tool: echo, args: {path: /fail}, retries: 0}
outputs: {artifacts: [{path: said.txt, from: "{{ last_response }}"}]}
"""
CANARIES = [
    "env-canary-8d1",
    "file-canary-8d2",
    "vault-canary-8d3",
    "azure-canary-8d4",
    "aws-canary-8d5",
    "ssm-canary-8d6",
]
LEFT_OUT = {"azure-client-secret", "hvs.vault-token-1", "azure-access-1", "aws-access-secret-1"}


@pytest.fixture
def aws(monkeypatch):
    """AWS on this machine, with a secret in each of its stores."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "aws-access-secret-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    secrets, parameters = (boto3.client(name, endpoint_url=url) for name in ("secretsmanager", "ssm"))
    secrets.create_secret(Name="weft/canary", SecretString=CANARIES[4])
    parameters.put_parameter(Name="/weft/canary", Value=CANARIES[5], Type="SecureString")
    yield url
    server.stop()


@pytest.fixture
def echo():
    """Answers with everything that it was sent."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            headers = dict(self.headers)
            seen.append(headers)
            body = json.dumps({"headers": headers, "seen": " ".join(headers.values())}).encode()
            self.send_response(200 if self.path.startswith("/echo") else 500)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()


def test_no_secret_is_ever_written(weft, echo, aws, monkeypatch, tmp_path):
    url, seen = echo
    store = Store()
    folder = tmp_path / "run-secrets"
    folder.mkdir()
    (folder / "canary").write_text(CANARIES[1])
    store.vault["kv/canary"] = {"password": CANARIES[2], "user": "weft"}
    store.azure["canary"] = CANARIES[3]
    for name, value in {
        "CANARY": CANARIES[0],
        "WEFT_NET__ALLOW_LOOPBACK": "true",
        "WEFT_SECRETS__FOLDER": str(folder),
        "WEFT_SECRETS__VAULT_URL": store.url,
        "WEFT_SECRETS__VAULT_TOKEN": "hvs.vault-token-1",
        "WEFT_SECRETS__AWS_ENDPOINT": aws,
        "WEFT_SECRETS__AZURE_VAULT": store.url,
        "WEFT_SECRETS__AZURE_AUTHORITY": store.url,
        "AZURE_TENANT_ID": "tenant-1",
        "AZURE_CLIENT_ID": "client-1",
        "AZURE_CLIENT_SECRET": "azure-client-secret",
        "WEFT_LOG__LEVEL": "debug",
    }.items():
        monkeypatch.setenv(name, value)
    weft.write("calls.yaml", FLOW.replace("URL", url))
    said = [weft("run", "calls.yaml", "--trace"), weft("show", "last"), weft("events", "last", "--json")]
    said += [weft("audit", "list", "--json"), weft("config", "--json"), weft("runs", "list", "--json")]
    # They were sent…
    sent = json.dumps(seen)
    assert all(one in sent for one in CANARIES)
    read = {one["target"] for one in said[3].json["entries"] if one["act"] == "secret.read"}
    cleaned = [one for one in said[3].json["entries"] if one["act"] == "redaction"]
    assert {one["data"]["path"] for one in cleaned} >= {"/first", "/second"}
    run = said[5].json["runs"][0]["run_id"]
    assert {(one["target"], one["data"]["run"]) for one in cleaned} == {(f"run/{run}", run)}
    assert read == {"secret/A", "secret/B", "secret/C", "secret/D", "secret/E", "secret/F"}
    # …and stand in nothing that was written, plain or encoded.
    written = [
        file.read_bytes() for where in (tmp_path / "home", weft.folder) for file in where.rglob("*") if file.is_file()
    ]
    whole = b"\n".join([*written, *((one.out + one.err).encode() for one in said)])
    assert [one for one in [*CANARIES, *LEFT_OUT] if one.encode() in whole] == []
    # A new value is taken up by the next run; a missing one is said before it begins.
    store.vault["kv/canary"] = {"password": "vault-canary-9e5"}
    weft("run", "calls.yaml", "--force")
    assert "vault-canary-9e5" in json.dumps(seen)
    del store.azure["canary"]
    refused = weft("run", "calls.yaml", "--force")
    assert (refused.code, "has no secret 'canary'" in refused.err) == (13, True)
    store.close()

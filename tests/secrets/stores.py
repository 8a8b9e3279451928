"""Stores of secrets on this machine, as HashiCorp's and Microsoft's speak: what they hold can be changed while they run."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


class Store:
    """Both of them. `vault` holds the data of secrets by ``mount/path``, `azure` values by name."""

    def __init__(self):
        self.vault, self.azure, self.asked = {}, {}, []
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = unquote(urlsplit(self.path).path)
                store.asked.append(path)
                if path.startswith("/v1/"):
                    mount, _, rest = path.removeprefix("/v1/").partition("/data/")
                    data = store.vault.get(f"{mount}/{rest}")
                    if self.headers["x-vault-token"] != "hvs.vault-token-1":
                        self.say(403, {"errors": ["permission denied"]})
                    elif data is None:
                        self.say(404, {"errors": []})
                    else:
                        self.say(200, {"data": {"data": data, "metadata": {"version": 1}}})
                elif path.startswith("/secrets/"):
                    value = store.azure.get(path.removeprefix("/secrets/"))
                    fits = self.headers["authorization"] == "Bearer azure-access-1" and "api-version=" in self.path
                    if not fits:
                        self.say(401, {"error": {"code": "Unauthorized"}})
                    elif value is None:
                        self.say(404, {"error": {"code": "SecretNotFound"}})
                    else:
                        self.say(200, {"value": value, "id": self.path})

            def do_POST(self):
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                good = form["client_secret"] == ["azure-client-secret"] and self.path == "/tenant-1/oauth2/v2.0/token"
                self.say(*((200, {"access_token": "azure-access-1", "expires_in": 3600}) if good else (401, {})))

            def say(self, status, value):
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

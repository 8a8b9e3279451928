"""An OpenID Connect provider on this machine: it signs with a key that can be changed, and lets in whoever it is told to."""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa


class Provider:
    def __init__(self):
        self.person = {"sub": "ann@example.org", "roles": ["approver"]}
        self.asked, self.codes, self.fetched = [], {}, 0
        self.rotate()
        provider = self
        self.away = False
        """Whether its keys cannot be had."""
        self.answers = threading.Event()
        """Whether it answers who asks for its keys."""
        self.answers.set()
        self.nonce = ""
        """What it says instead of the nonce that it was given."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
                if path == "/.well-known/openid-configuration":
                    self.say(
                        {
                            "issuer": provider.url,
                            "authorization_endpoint": f"{provider.url}/authorize",
                            "token_endpoint": f"{provider.url}/token",
                            "jwks_uri": f"{provider.url}/keys",
                        }
                    )
                elif path == "/keys":
                    provider.fetched += 1
                    provider.answers.wait(60)
                    if provider.away:
                        self.say({"error": "later"}, 503)
                        return
                    self.say({"keys": [{"kty": "oct", "kid": "mac", "k": "AAAA"}, provider.shown]})
                elif path == "/authorize":
                    asked = {name: values[0] for name, values in query.items()}
                    provider.asked.append(asked)
                    code = f"code-{len(provider.asked)}"
                    provider.codes[code] = asked
                    self.send_response(303)
                    self.send_header(
                        "Location", f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
                    )
                    self.end_headers()

            def do_POST(self):
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                asked = provider.codes.pop(form["code"][0], None)
                digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
                challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                if asked is None or challenge != asked["code_challenge"]:
                    self.say({"error": "invalid_grant"}, 400)
                    return
                token = provider.token(aud=form["client_id"][0], nonce=provider.nonce or asked["nonce"])
                self.say({"access_token": "x", "token_type": "Bearer", "id_token": token})

            def say(self, value, status=200):
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

    def rotate(self, kind="RS256"):
        """Sign with another key from now on."""
        self.algorithm = kind
        if kind == "EdDSA":
            self.key = ed25519.Ed25519PrivateKey.generate()
            shown = jwt.algorithms.OKPAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        else:
            self.key = rsa.generate_private_key(65537, 2048)
            shown = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        self.kid = f"key-{time.monotonic_ns()}"
        self.shown = {**shown, "kid": self.kid, "use": "sig"}

    def token(self, **claims):
        now = int(time.time())
        whole = {"iss": self.url, "aud": "weft", "iat": now, "exp": now + 300, **self.person, **claims}
        return jwt.encode(whole, self.key, algorithm=self.algorithm, headers={"kid": self.kid})

    def close(self):
        self.server.shutdown()
        self.server.server_close()

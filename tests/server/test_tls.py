"""TLS: certificates are taken up without a restart, unfit ones never, and callers without one of ours stay outside."""

import datetime as dt
import ipaddress
import json
import os
import socket
import time

import grpc
import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.ports import free_port
from tests.processes import command, start
from tests.server.conftest import BRIEF
from tests.server.served import Served
from tests.waiting import until
from weft.app.expiring import Reminder
from weft.client import Client, Tls
from weft.core.clock import SystemClock
from weft.core.errors import InputError, TransientError
from weft.core.settings import Settings
from weft.store.journal import Journal

pytestmark = pytest.mark.slow
_DAY = dt.timedelta(days=1)


class Authority:
    """Makes certificates for this machine."""

    def __init__(self, folder, name):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.folder = folder
        self.file = folder / f"{name}.pem"
        made = self._made(self._name, self._key, 30).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        usage = x509.KeyUsage(*[name in {5, 6} for name in range(9)])
        made = made.add_extension(usage, critical=True)
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _made(self, subject, key, days):
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 10 * _DAY)
            .not_valid_after(now + days * _DAY)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )

    def issue(self, name, *, days=5.0, into=None):
        """A certificate with its key; their files."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        made = self._made(subject, key, days).add_extension(here, critical=False).sign(self._key, hashes.SHA256())
        files = into or (self.folder / f"{name}.crt", self.folder / f"{name}.key")
        plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        for file, text in zip(
            files,
            (made.public_bytes(serialization.Encoding.PEM), key.private_bytes(serialization.Encoding.PEM, *plain)),
            strict=True,
        ):
            file.with_suffix(".new").write_bytes(text)
            file.with_suffix(".new").rename(file)
        return files


def over_grpc(port, ca, own=None, seconds=20):
    """The number of the certificate that a new connection over gRPC sees."""
    pair = {} if own is None else {"certificate_chain": own[0].read_bytes(), "private_key": own[1].read_bytes()}
    trust = grpc.ssl_channel_credentials(ca.read_bytes(), **pair)
    with grpc.secure_channel(f"127.0.0.1:{port}", trust, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        grpc.channel_ready_future(channel).result(seconds)
    context = Tls(ca=ca, **({} if own is None else {"cert": own[0], "key": own[1]})).context()
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
    ):
        return x509.load_der_x509_certificate(tls.getpeercert(True)).serial_number


class Secure(Served):
    """A service that speaks TLS, which answers whoever shows `shown`."""

    shown: Tls

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def start(self):
        argv = ["up", self.flows, "--port", self.port, "--json"]
        with (self.folder / "up.log").open("ab") as log:
            self.process = start(argv, env=self.environ, cwd=self.folder, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while '"ready"' not in self.log:
            assert self.process.poll() is None and time.monotonic() < end, self.log
            time.sleep(0.05)
        self.seen(self.shown, end)
        return self

    def seen(self, shown, end=0):
        """The number of the certificate that a new connection sees; until `end`, it is tried again."""
        while True:
            try:
                with (
                    httpx2.Client(verify=shown.context(), timeout=60) as http,
                    http.stream("GET", f"{self.url}/health/live") as answer,
                ):
                    assert answer.status_code == 200
                    tls = answer.extensions["network_stream"].get_extra_info("ssl_object")
                    return tls.version(), x509.load_der_x509_certificate(tls.getpeercert(True)).serial_number
            except httpx2.TransportError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)


@pytest.fixture
def secure(tmp_path):
    made = []

    def make(shown, **environ):
        one = Secure(tmp_path, **environ)
        one.shown = shown
        one.add("brief", BRIEF)
        made.append(one)
        return one.start()

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.kill()


def changes(service):
    """What the audit log says of other settings, the oldest first."""
    journal = Journal(Settings(home=service.home).journal)
    try:
        return [(each.outcome, each.data) for each in journal.audit.list() if each.act == "settings.change"][::-1]
    finally:
        journal.close()


def test_a_new_certificate_is_taken_up_without_a_restart_and_an_expired_one_is_not(tmp_path, secure):
    ours = Authority(tmp_path, "ours")
    cert, key = ours.issue("service")
    shown = Tls(ca=ours.file)
    port = free_port()
    one = secure(
        shown, WEFT_SERVER__TLS_CERT=str(cert), WEFT_SERVER__TLS_KEY=str(key), WEFT_SERVER__GRPC_PORT=str(port)
    )
    assert over_grpc(port, ours.file) == one.seen(shown)[1]
    with Client(one.url, tls=shown) as kept:
        kept.health.live()
        version, before = one.seen(shown)
        assert version in {"TLSv1.2", "TLSv1.3"}
        ours.issue("service", into=(cert, key), days=-1)
        # The files are looked at when somebody connects.
        until(lambda: one.seen(shown)[1] == before and "the one before stays" in one.log)
        ours.issue("service", into=(cert, key))
        after = until(lambda: (seen := one.seen(shown)[1]) != before and seen)
        until(lambda: over_grpc(port, ours.file) == after)
        kept.health.live()  # connections that were there stay
    with pytest.raises(TransientError), Client(one.url, retries=0) as stranger:
        stranger.health.live()  # the authorities of this machine do not vouch for it
    environ = one.environ | {"WEFT_SERVER_URL": one.url, "WEFT_TLS_CA": str(ours.file)}
    assert '"runs"' in command("runs", "list", "--json", env=environ).out
    # That there were others, and which were not taken up, stands in the audit log.
    found = until(lambda: len(known := changes(one)) >= 3 and known)
    assert [each[0] for each in found] == ["done", "failed", "done"]
    assert {each[1]["settings"][0] for each in found[1:]} == {"server.tls_cert (content)"}


def test_callers_need_a_certificate_of_our_authority(tmp_path, secure):
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    cert, key = ours.issue("service")
    mine, old, foreign = ours.issue("client"), ours.issue("old", days=-1), theirs.issue("foreign")
    shown = Tls(ca=ours.file, cert=mine[0], key=mine[1])
    trusted = tmp_path / "clients.pem"
    trusted.write_bytes(ours.file.read_bytes())
    port = free_port()
    one = secure(
        shown,
        WEFT_SERVER__TLS_CERT=str(cert),
        WEFT_SERVER__TLS_KEY=str(key),
        WEFT_SERVER__TLS_CLIENTS=str(trusted),
        WEFT_SERVER__GRPC_PORT=str(port),
    )
    assert over_grpc(port, ours.file, mine)
    for own in (None, old, foreign):
        with pytest.raises(grpc.FutureTimeoutError):
            over_grpc(port, ours.file, own, seconds=2)
    outsiders = [Tls(ca=ours.file), *(Tls(ca=ours.file, cert=own[0], key=own[1]) for own in (old, foreign))]
    for outsider in outsiders:
        with pytest.raises(httpx2.TransportError):
            one.seen(outsider)
    trusted.with_suffix(".new").write_bytes(theirs.file.read_bytes())
    trusted.with_suffix(".new").rename(trusted)
    assert one.seen(outsiders[2], time.monotonic() + 30)
    with pytest.raises(httpx2.TransportError):
        one.seen(shown)


def test_what_is_unfit_is_refused_at_the_start(tmp_path):
    ours = Authority(tmp_path, "ours")
    good, other, late = ours.issue("good"), ours.issue("other"), ours.issue("late", days=-1)
    for cert, key, said in (
        (good[0], other[1], "do not fit"),
        (*late, "not now"),
        (good[0], "", "server.tls_key"),
        (good[0], tmp_path / "none", "cannot read"),
    ):
        environ = os.environ | {
            "WEFT_HOME": str(tmp_path / "home"),
            "WEFT_SERVER__TLS_CERT": str(cert),
            "WEFT_SERVER__TLS_KEY": str(key),
        }
        code, out, err = command("up", "--port", "0", env=environ)
        assert code and said in out + err, err
    with pytest.raises(InputError, match="cannot be used"):
        Client("https://127.0.0.1:1", tls=Tls(ca=tmp_path / "none"))


def health(service):
    with httpx2.Client(verify=service.shown.context(), timeout=60) as http:
        answer = http.get(f"{service.url}/health/deep")
    return answer.status_code, answer.json()["checks"]["server.tls_cert"]


def doctor(service):
    said = command("doctor", "--json", env=service.environ)
    found = {one["name"]: one for one in json.loads(said.out)["findings"]}
    return found["certificate server.tls_cert"]


def test_a_certificate_that_is_over_soon_is_told_of_in_time(secure, tmp_path):
    ours = Authority(tmp_path, "ours")
    files = ours.issue("service", days=25)
    service = secure(Tls(ca=ours.file), WEFT_SERVER__TLS_CERT=str(files[0]), WEFT_SERVER__TLS_KEY=str(files[1]))
    assert health(service) == (200, {**health(service)[1], "status": "degraded"})
    assert "is over in 24 days" in health(service)[1]["message"]
    assert "is over in 24 days" in service.log
    assert (doctor(service)["level"], "24 days" in doctor(service)["text"]) == ("warning", True)
    ours.issue("service", days=40, into=files)
    assert health(service)[1]["status"] == "ok"
    assert doctor(service)["level"] == "ok"
    ours.issue("service", days=-1, into=files)
    status, told = health(service)
    assert (status, told["status"]) == (503, "failed")
    assert doctor(service)["level"] == "error"


def test_what_was_said_is_said_again_a_day_later(tmp_path, caplog):
    class Days(SystemClock):
        passed = 0

        def micros(self):
            return super().micros() + self.passed * 86_400_000_000

        def monotonic(self):
            return self.passed * 86_400.0

    ours, clock = Authority(tmp_path, "ours"), Days()
    files = ours.issue("short", days=2.5)
    reminder = Reminder({"server.tls_cert": files[0], "server.tls_clients": None}, clock, warn_days=30)
    told = []
    for day in range(4):
        clock.passed = day
        for _ in range(3):
            reminder.remind()
        told += [
            (one.levelname, one.getMessage().partition(" is over ")[2].partition(",")[0]) for one in caplog.records
        ]
        caplog.clear()
    assert told == [("WARNING", "in 2 days"), ("WARNING", "in 1 day"), ("WARNING", "today or tomorrow"), ("ERROR", "")]
    ours.issue("short", days=90, into=files)
    reminder.remind()
    files[0].unlink()
    reminder.remind()
    assert [one.levelname for one in caplog.records] == ["ERROR"]

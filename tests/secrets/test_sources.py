"""Every place gives its secrets, keeps what is not asked for, and a new value is taken up without a restart."""

import json
import threading

import boto3
import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr
from tests.secrets.stores import Store
from tests.waiting import until

from weft.app.secret_sources import secret_cache
from weft.core.clock import SystemClock
from weft.core.errors import AuthError, PolicyError, TransientError, UnsupportedError, WeftError
from weft.core.settings import Settings
from weft.core.settings_model import SecretPlaces
from weft.secrets.cache import Cache
from weft.secrets.port import SecretRef
from weft.secrets.resolve import Secrets

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store():
    one = Store()
    yield one
    one.close()


@pytest.fixture(scope="module")
def aws():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def cache(tmp_path, store, aws, monkeypatch):
    for name, value in {
        "AZURE_TENANT_ID": "tenant-1",
        "AZURE_CLIENT_ID": "client-1",
        "AZURE_CLIENT_SECRET": "azure-client-secret",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret-key",
    }.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "run-secrets"
    folder.mkdir()
    places = SecretPlaces(
        ttl_s=0.05,
        folder=folder,
        aws_region="eu-central-1",
        aws_endpoint=aws,
        azure_vault=store.url,
        azure_authority=store.url,
        vault_url=store.url,
        vault_token=SecretStr("hvs.vault-token-1"),
    )
    told = []
    made = secret_cache(Settings(home=tmp_path / "home", secrets=places), SystemClock(), told.append)
    made.told, made.folder = told, folder
    return made


def ref(source, key, path=""):
    return SecretRef(name="s", key=key, source=source, path=path)


def test_a_file_of_the_folder_and_none_outside_it(cache, tmp_path):
    (cache.folder / "db").write_text("file-canary-1\n")
    assert cache.value(ref("file", "db")) == "file-canary-1"
    (tmp_path / "outside").write_text("no")
    (cache.folder / "link").symlink_to(tmp_path / "outside")
    for key in ("../outside", "/etc/passwd", "link", "."):
        with pytest.raises(PolicyError):
            cache.value(ref("file", key))
    with pytest.raises(AuthError, match="cannot be read"):
        cache.value(ref("file", "none"))


def test_vault(cache, store):
    store.vault["kv/app/db"] = {"user": "weft", "password": "vault-canary-1", "port": 5432}
    store.vault["kv/one"] = {"value": "vault-canary-2"}
    assert cache.value(ref("vault", "kv/app/db", "password")) == "vault-canary-1"
    assert cache.value(ref("vault", "kv/app/db", "port")) == "5432"
    assert cache.value(ref("vault", "kv/one")) == "vault-canary-2"
    assert {"vault-canary-1", "vault-canary-2", "hvs.vault-token-1"} <= set(cache.told)
    with pytest.raises(AuthError, match="has no secret 'kv/none'"):
        cache.value(ref("vault", "kv/none"))
    with pytest.raises(AuthError, match="nothing at 'pass'"):
        cache.value(ref("vault", "kv/app/db", "pass"))


def test_azure_key_vault(cache, store, monkeypatch, tmp_path):
    store.azure["db"] = "azure-canary-1"
    assert cache.value(ref("azure_key_vault", "db")) == "azure-canary-1"
    with pytest.raises(AuthError, match="has no secret 'none'"):
        cache.value(ref("azure_key_vault", "none"))
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    places = SecretPlaces(azure_vault=store.url, azure_authority=store.url)
    other = secret_cache(Settings(home=tmp_path, secrets=places), SystemClock(), lambda _: None)
    with pytest.raises(AuthError, match="does not let us sign in") as refused:
        other.value(ref("azure_key_vault", "db"))
    assert "wrong" not in str(refused.value.as_json())


def test_secrets_manager_and_parameters_of_aws(cache, aws):
    session = boto3.session.Session(region_name="eu-central-1")
    manager = session.client("secretsmanager", endpoint_url=aws)
    manager.create_secret(Name="prod/db", SecretString=json.dumps({"password": "aws-canary-1"}))
    session.client("ssm", endpoint_url=aws).put_parameter(Name="/prod/key", Value="ssm-canary-1", Type="SecureString")
    assert cache.value(ref("secrets_manager", "prod/db", "password")) == "aws-canary-1"
    assert cache.value(ref("ssm", "/prod/key")) == "ssm-canary-1"
    assert "aws-canary-1" in cache.told
    for source in ("secrets_manager", "ssm"):
        with pytest.raises(AuthError, match="NotFound"):
            cache.value(ref(source, "none"))
    manager.put_secret_value(SecretId="prod/db", SecretString=json.dumps({"password": "aws-canary-2"}))
    until(lambda: cache.value(ref("secrets_manager", "prod/db", "password")) == "aws-canary-2")


def test_what_is_not_set_up_says_so(tmp_path):
    bare = secret_cache(Settings(home=tmp_path), SystemClock(), lambda _: None)
    for source in ("file", "vault", "azure_key_vault"):
        with pytest.raises(WeftError, match="not set up"):
            bare.value(ref(source, "x"))
    with pytest.raises(UnsupportedError):
        bare.value(ref("pigeon", "x"))


class Slow:
    """A source whose value changes, and that can be out of order."""

    def __init__(self):
        self.value, self.reads, self.broken = "first-value", 0, False
        self.read_again = threading.Event()

    def read(self, key):
        self.reads += 1
        if self.broken:
            raise TransientError("out of order")
        self.read_again.set()
        return self.value


class Clock(SystemClock):
    now = 0.0

    def monotonic(self):
        return self.now


def test_a_value_is_read_seldom_taken_up_anew_and_used_a_while_when_its_place_is_down():
    slow, clock = Slow(), Clock()
    cache = Cache(lambda _: slow, clock, ttl_s=100)
    assert [cache.value(ref("x", "k")) for _ in range(5)] == ["first-value"] * 5
    assert slow.reads == 1
    slow.value = "second-value"
    clock.now = 101
    slow.read_again.clear()
    assert cache.value(ref("x", "k")) == "first-value"  # it is read behind the scenes
    assert slow.read_again.wait(30)
    until(lambda: cache.value(ref("x", "k")) == "second-value")
    slow.broken = True
    clock.now = 250
    assert cache.value(ref("x", "k")) == "second-value"
    clock.now = 1_000
    with pytest.raises(TransientError):
        cache.value(ref("x", "k"))


def test_values_of_all_places_are_masked_and_told():
    slow, read = Slow(), []
    cache = Cache(lambda _: slow, SystemClock(), ttl_s=100)
    secrets = Secrets([ref("x", "k")], environ={}, values=cache, on_read=read.append)
    assert secrets.expand("Bearer ${s}") == "Bearer first-value"
    assert secrets.mask("it is first-value") == "it is [redacted]"
    assert [one.name for one in read] == ["s"]
    assert "first-value" not in repr(secrets)

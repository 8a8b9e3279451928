"""What can be set outside a workflow, grouped by concern, as plain data.

Making a `Settings` by hand, as tests do, reads neither the environment nor a file.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from weft.core.setting_kinds import Address, Folder, Group, Names, Seconds, Url, UrlOrConsole, split

PREFIX = "WEFT_"
_REFERENCE = re.compile(r"(env|file|secrets_manager|ssm|azure_key_vault|vault):[^#\s][^#]{0,500}(#[^#]{1,200})?")


def default_home() -> Path:
    """The user's data folder for Weft: ``$XDG_DATA_HOME/weft``, or what the platform uses instead.

    Raises:
        RuntimeError: the user has no home folder.
    """
    if data := os.environ.get("XDG_DATA_HOME"):
        return Path(data) / "weft"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "weft"
    return Path.home() / ".local" / "share" / "weft"


class Limits(Group):
    """How much one process does at once."""

    calls: int = Field(default=64, ge=1, le=10_000, description="Calls (agents, tools) performed at the same time.")
    timer_s: float = Field(
        default=60.0,
        ge=0,
        le=86_400,
        description="A timer due within so many seconds is waited for in the process; a later one lets go of the run.",
    )


class SecretPlaces(Group):
    """Where secrets are kept that workflows name by reference, beside the environment."""

    ttl_s: Seconds = Field(default=300.0, description="How old a value may be before it is read anew, in seconds.")
    folder: Folder | None = Field(default=None, description="`source: file`: the folder whose files hold secrets.")
    aws_region: str | None = Field(
        default=None, max_length=100, description="The region; else what AWS's client finds."
    )
    aws_endpoint: Url = Field(default=None, description="The address of AWS, where it is another one.")
    azure_vault: Url = Field(default=None, description="The address of the Azure Key Vault.")
    azure_authority: Address = Field(
        default="https://login.microsoftonline.com", description="Where one signs in for Azure Key Vault."
    )
    vault_url: Url = Field(default=None, description="The address of Vault or OpenBao.")
    vault_token: SecretStr | None = Field(default=None, description="The token for it; else `VAULT_TOKEN`.")
    vault_namespace: str = Field(default="", max_length=300, description="The namespace in it, if there is one.")


class Rates(Group):
    """How often runs may be started and models asked through the service; 0 is no limit. The user of this machine has none."""

    user_minute: int = Field(default=10, ge=0, le=1_000_000, description="Runs that a user may start a minute.")
    user_hour: int = Field(default=100, ge=0, le=1_000_000, description="Runs that a user may start an hour.")
    key_hour: int = Field(default=100, ge=0, le=1_000_000, description="Runs that may be started with one key an hour.")
    tenant_hour: int = Field(default=1_000, ge=0, le=1_000_000, description="Runs that a tenant may start an hour.")
    session_hour: int = Field(default=50, ge=0, le=1_000_000, description="Turns that a session may have an hour.")
    requests_minute: int = Field(
        default=6_000, ge=0, le=1_000_000, description="Requests of all kinds that a user may make a minute."
    )


class Net(Group):
    """Where requests may go and how much they may take."""

    allow_loopback: bool = Field(default=False, description="Requests to this machine are allowed.")
    allow_private: bool = Field(default=False, description="Requests to private networks are allowed.")
    allowed_domains: Names = Field(default=(), description="Only these domains and their subdomains; empty means any.")
    blocked_patterns: Names = Field(default=(), description="Addresses that match one of these patterns are refused.")
    max_response_bytes: int = Field(default=10_485_760, ge=1, description="The largest answer that is read.")
    connect_timeout_s: Seconds = Field(default=10.0, description="Time to open a connection, in seconds.")
    timeout_s: Seconds = Field(default=60.0, description="Time for a whole request, in seconds.")


class Tools(Group):
    """What tools may reach."""

    allowed_modules: Names = Field(default=(), description="Python modules that workflows may take tools from.")
    allowed_folders: Annotated[tuple[Folder, ...], NoDecode, BeforeValidator(split)] = Field(
        default=(), description="Folders in which a workflow may name functions of files, as ./file.py:function."
    )
    workdir: Folder | None = Field(
        default=None, description="The folder that file tools cannot leave; the current one by default."
    )
    mcp_changed: Literal["ask", "refuse", "accept"] = Field(
        default="ask",
        description="What a run does when an MCP server describes a tool otherwise than when the run first used it.",
    )
    python_exec: bool = Field(
        default=False, description="Agents may run Python code that they write, in a process apart."
    )
    duckduckgo_url: Address = Field(
        default="https://html.duckduckgo.com", description="Where `duckduckgo_search` asks."
    )
    tavily_url: Address = Field(default="https://api.tavily.com", description="Where `tavily_search` asks.")


class Log(Group):
    """What is written to standard error while a command works."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="warning", description="The least that is logged."
    )
    format: Literal["text", "json"] = Field(default="text", description="Lines for people, or one JSON object a line.")


class Telemetry(Group):
    """Where traces go and what they may contain."""

    endpoint: UrlOrConsole = Field(
        default=None, description="OTLP/HTTP address for traces, or `console`; none sends nothing."
    )
    headers: dict[str, SecretStr] = Field(
        default={}, description="Headers for the endpoint, as a table or JSON object."
    )
    service_name: str = Field(default="weft", min_length=1, max_length=200, description="The name that traces carry.")
    sample_ratio: float = Field(default=1.0, ge=0, le=1, description="The share of runs whose traces are sent.")
    include_content: bool = Field(default=False, description="Prompts, tool inputs and outputs are sent too, redacted.")


class Server(Group):
    """The service that `weft up` starts."""

    host: str = Field(default="127.0.0.1", min_length=1, description="The address that it listens on.")
    port: int = Field(default=8480, ge=0, le=65_535, description="The port; 0 takes a free one.")
    public_url: Url = Field(default=None, description="The address under which clients reach it, in cards and links.")
    grpc_port: int | None = Field(
        default=None,
        ge=0,
        le=65_535,
        description="The port for A2A over gRPC; 0 takes a free one, none serves no gRPC.",
    )
    agent: str = Field(
        default="",
        max_length=300,
        description="What answers A2A clients that name no agent; the only workflow by default.",
    )
    profile: Literal["", "a2a-conformance"] = Field(
        default="", description="`a2a-conformance` serves what the conformance kit of A2A expects; for testing alone."
    )
    card_key: Folder | None = Field(
        default=None, description="A file with an EC P-256 private key (PEM) with which agent cards are signed."
    )
    tls_cert: Folder | None = Field(
        default=None, description="A file with the certificate and its chain (PEM): the service speaks TLS."
    )
    tls_key: Folder | None = Field(default=None, description="A file with the key for it (PEM, without a password).")
    tls_clients: Folder | None = Field(
        default=None, description="A file with the authorities (PEM) of which every caller needs a certificate."
    )
    tls_warn_days: int = Field(
        default=30, ge=0, le=3_650, description="So many days before a certificate is over, the service says so."
    )
    token: SecretStr | None = Field(
        default=None, description="Callers show it as a bearer token; needed on any other address than this machine's."
    )
    allowed_hosts: Names = Field(default=(), description="Names, beside the address itself, that callers may ask for.")
    allowed_origins: Names = Field(default=(), description="Origins whose pages in a browser may call it.")
    registered_programs: bool = Field(
        default=False,
        description="Workflows that users register may start programs on this machine, as MCP servers with a command are.",
    )
    registered_secrets: Names = Field(
        default=(),
        description="Secrets that such workflows may name: `KEY` of the environment or `source:key`, `*` for any text; none by default.",
    )
    registered_addresses: Names = Field(
        default=(),
        description="Hosts to which such workflows may send their models' requests, and with them the service's keys; none by default.",
    )
    folders: Annotated[tuple[Folder, ...], NoDecode, BeforeValidator(split)] = Field(
        default=(), description="Folders whose workflows and agents it serves."
    )
    models: Names = Field(
        default=(),
        description="Models that clients may use as they stand: `provider/name`, or `provider/*` for all of one; none by default.",
    )
    runs: int = Field(default=256, ge=1, le=100_000, description="Runs that it drives at the same time.")
    drain_s: float = Field(default=30.0, ge=0, le=3_600, description="How long running work may go on when it stops.")
    smtp_url: SecretStr | None = Field(
        default=None, description="The mail server for notifications: smtp://user:password@host:port, or smtps://."
    )
    mail_from: str = Field(default="weft@localhost", min_length=3, max_length=254, description="The sender of mail.")
    session_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="Days after its last turn when a session is forgotten; none keeps it.",
    )
    max_request_bytes: int = Field(default=10_485_760, ge=1_024, description="The largest request that it reads.")
    request_s: Seconds = Field(default=30.0, description="Time in which a request must have arrived, in seconds.")
    connections: int = Field(
        default=8_192, ge=1, le=1_000_000, description="Connections that it holds at the same time; more are refused."
    )
    requests: int = Field(
        default=4_096,
        ge=1,
        le=1_000_000,
        description="Requests of one caller that it answers at the same time, streams among them; more are refused.",
    )


class AuditShipping(Group):
    """Where the audit log is shipped to while `weft up` or `weft worker` runs; nowhere by default."""

    s3_bucket: str | None = Field(
        default=None, min_length=3, max_length=255, description="The S3 bucket that the audit log is shipped to."
    )
    s3_prefix: str = Field(
        default="weft/audit", max_length=500, description="What the names of the objects in it begin with."
    )
    log_group: str | None = Field(
        default=None, min_length=1, max_length=512, description="The group of CloudWatch Logs that it is shipped to."
    )
    aws_region: str | None = Field(
        default=None, max_length=100, description="The region; else what AWS's client finds."
    )
    aws_endpoint: Url = Field(default=None, description="The address of AWS, where it is another one.")
    every_s: Seconds = Field(default=60.0, description="Between two looks for what is new, in seconds.")
    batch: int = Field(default=5_000, ge=1, le=50_000, description="The most entries that are sent at once.")


def _database(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("it has to begin with postgresql://")
    return value


def _reference(value: str | None) -> str | None:
    if value is not None and not _REFERENCE.fullmatch(value):
        # It may be the key itself, which nobody must see.
        raise ValueError("has to name a place and a key in it, such as env:MASTER_KEY or file:weft-master")
    return value


Reference = Annotated[str, AfterValidator(_reference)]


class Encryption(Group):
    """How what users give and get is sealed in the store; in plain by default."""

    key: Reference | None = Field(
        default=None,
        description="Where the master key is kept that seals the store, as place:key, such as env:MASTER_KEY; none seals nothing.",
    )
    older: Annotated[tuple[Reference, ...], NoDecode, BeforeValidator(split)] = Field(
        default=(), description="Where master keys of before are kept, as long as anything is wrapped by them."
    )
    write: Literal["sealed", "plain"] = Field(
        default="sealed", description="`plain` opens what is sealed and seals nothing more: the way back."
    )
    days: int = Field(
        default=90, ge=0, le=3_650, description="After so many days a tenant gets a new data key; 0 leaves that to you."
    )


class Store(Group):
    """Where runs are kept."""

    url: Annotated[SecretStr | None, AfterValidator(_database)] = Field(
        default=None,
        description="A Postgres database, as postgresql://user@host/name; none is a file in the home folder.",
    )


class IdentitySettings(Group):
    """Tokens (JWT) of an issuer, and signing in at it (OpenID Connect). Without an issuer there are keys and the token alone."""

    issuer: Url = Field(
        default=None, description="Who makes the tokens: `iss` in them, and the provider for signing in."
    )
    audience: str | None = Field(
        default=None, max_length=500, description="`aud` of tokens; the client's id by default."
    )
    secret: SecretStr | None = Field(
        default=None, min_length=32, description="Tokens are signed with this secret (HS256, HS384, HS512)."
    )
    public_key: Folder | None = Field(
        default=None, description="Tokens are signed with the private half of the key in this file (PEM)."
    )
    jwks_url: Url = Field(
        default=None, description="Where the issuer shows its keys; what it says of itself by default."
    )
    keys_hours: float = Field(
        default=24.0, gt=0, le=720, description="How long keys that were fetched count while the issuer is away."
    )
    role_claim: str = Field(default="", max_length=200, description="The claim that holds the role, or a list with it.")
    tenant_claim: str = Field(
        default="", max_length=200, description="The claim that holds the tenant; else it is `local`."
    )
    role: Literal["", "admin", "developer", "operator", "approver", "viewer"] = Field(
        default="", description="The role of whoever has none otherwise; empty lets in only those who have one."
    )
    client_id: str | None = Field(
        default=None, max_length=500, description="What this service is called at the provider; switches signing in on."
    )
    client_secret: SecretStr | None = Field(default=None, description="What it shows to the provider, if anything.")
    scopes: str = Field(default="openid profile email", max_length=500, description="What it asks the provider for.")
    session_hours: float = Field(default=12.0, gt=0, le=720, description="How long a browser stays signed in.")


class Settings(BaseSettings):
    """Everything that can be set outside a workflow. Load with `load_settings`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=True
    )

    home: Folder = Field(
        default_factory=default_home, description="The folder that holds all state, made for its owner alone."
    )
    durability: Literal["full", "fast"] = Field(
        default="full",
        description="`full` survives power loss; `fast` survives a killed process and may lose the tail on power loss.",
    )
    provider: str | None = Field(default=None, min_length=1, description="Use this provider, whatever a workflow says.")
    model: str | None = Field(default=None, min_length=1, description="Use this model, whatever a workflow says.")
    base_url: Url = Field(default=None, description="The provider's address, whatever a workflow says.")
    server_url: Url = Field(
        default=None,
        description="The running service that commands ask, such as http://127.0.0.1:8480; none is this machine.",
    )
    token: SecretStr | None = Field(default=None, description="What commands and clients show to that service.")
    tls_ca: Folder | None = Field(
        default=None, description="A file with the authorities (PEM) that may vouch for that service."
    )
    tls_cert: Folder | None = Field(
        default=None, description="A file with the certificate (PEM) that commands and clients show to it."
    )
    tls_key: Folder | None = Field(default=None, description="A file with the key for it; the same file by default.")
    limits: Limits = Limits()
    rates: Rates = Rates()
    secrets: SecretPlaces = SecretPlaces()
    net: Net = Net()
    tools: Tools = Tools()
    log: Log = Log()
    telemetry: Telemetry = Telemetry()
    server: Server = Server()
    store: Store = Store()
    encryption: Encryption = Encryption()
    identity: IdentitySettings = IdentitySettings()
    audit: AuditShipping = AuditShipping()

    _sources: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @property
    def sources(self) -> Mapping[str, str]:
        """Where each setting that was given comes from, by dotted name; the others are defaults."""
        return self._sources

    @property
    def journal(self) -> str:
        """Where the journal is: a file, or the address of a database, which may hold a password."""
        return str(self.home / "journal.db") if self.store.url is None else self.store.url.get_secret_value()

    def with_sources(self, sources: Mapping[str, str]) -> Settings:
        """The same settings, remembering where they come from."""
        known = self.model_copy()
        known._sources = dict(sources)  # noqa: SLF001 -- a copy of this very object
        return known

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 -- the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- same
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- same
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what the constructor is given: the loader reads the other sources, to remember which gave what."""
        return (init_settings,)

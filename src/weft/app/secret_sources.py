"""The places that the settings name, in which secrets are kept."""

from __future__ import annotations

import os
from collections.abc import Callable

from weft.app.parts import load
from weft.core.clock import Clock
from weft.core.errors import InputError, UnsupportedError
from weft.core.settings import Settings
from weft.secrets.cache import Cache, chosen
from weft.secrets.port import Source


def secret_cache(settings: Settings, clock: Clock, on_value: Callable[[str], object]) -> Cache:
    """Secrets of every place that is set up; `on_value` is told each value that is read."""
    own = settings.secrets

    def files() -> Source:
        if own.folder is None:
            raise _unset("files", "secrets.folder")
        source: Source = load("secrets-files").Files(own.folder)
        return source

    def aws(kind: str) -> Callable[[], Source]:
        def make() -> Source:
            try:
                module = load("secrets-aws")
            except ImportError as error:
                raise UnsupportedError("secrets of AWS need an extra", fix="pip install 'weft[aws]'") from error
            source: Source = getattr(module, kind)(region=own.aws_region, endpoint=own.aws_endpoint)
            return source

        return make

    def azure() -> Source:
        if own.azure_vault is None:
            raise _unset("Azure Key Vault", "secrets.azure_vault")
        source: Source = load("secrets-azure").KeyVault(own.azure_vault, own.azure_authority, os.environ)
        return source

    def vault() -> Source:
        token = own.vault_token.get_secret_value() if own.vault_token is not None else os.environ.get("VAULT_TOKEN", "")
        if own.vault_url is None or not token:
            raise _unset("Vault", "secrets.vault_url and secrets.vault_token")
        on_value(token)
        source: Source = load("secrets-vault").Vault(own.vault_url, token, namespace=own.vault_namespace)
        return source

    made: dict[str, Callable[[], Source]] = {
        "file": files,
        "secrets_manager": aws("SecretsManager"),
        "ssm": aws("Parameters"),
        "azure_key_vault": azure,
        "vault": vault,
    }
    return Cache(chosen(made), clock, ttl_s=own.ttl_s, on_value=on_value)


def _unset(what: str, names: str) -> InputError:
    return InputError(f"secrets from {what} are not set up", fix=f"set {names}")

"""Secrets of AWS: Secrets Manager and the parameter store of Systems Manager. Credentials are those that AWS's own client finds."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from weft.core.errors import AuthError, TransientError, WeftError

_CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 3, "mode": "standard"})


class SecretsManager:
    """AWS Secrets Manager; a key is the name or the ARN of a secret."""

    def __init__(self, *, region: str | None, endpoint: str | None) -> None:
        self._client = _client("secretsmanager", region, endpoint)

    def read(self, key: str) -> str:
        """The current version of a secret.

        Raises:
            WeftError: there is none, it may not be read, or AWS cannot be reached.
        """
        try:
            value = self._client.get_secret_value(SecretId=key).get("SecretString")
        except (BotoCoreError, ClientError) as error:
            raise _refused(error, key) from error
        if not isinstance(value, str):
            raise AuthError(f"the secret {key!r} is no text", fix="keep it as a text in Secrets Manager")
        return value


class Parameters:
    """The parameter store of AWS Systems Manager; a key is the name of a parameter."""

    def __init__(self, *, region: str | None, endpoint: str | None) -> None:
        self._client = _client("ssm", region, endpoint)

    def read(self, key: str) -> str:
        """The value of a parameter, deciphered.

        Raises:
            WeftError: as for `SecretsManager.read`.
        """
        try:
            return str(self._client.get_parameter(Name=key, WithDecryption=True)["Parameter"]["Value"])
        except (BotoCoreError, ClientError) as error:
            raise _refused(error, key) from error


def _client(service: str, region: str | None, endpoint: str | None) -> Any:
    try:
        return boto3.session.Session().client(service, region_name=region, endpoint_url=endpoint, config=_CONFIG)
    except (BotoCoreError, ValueError) as error:
        raise AuthError("AWS's client cannot be made", fix="set secrets.aws_region, or AWS_REGION") from error


def _refused(error: Exception, key: str) -> WeftError:
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else type(error).__name__
    if code in {"ThrottlingException", "InternalServiceError", "EndpointConnectionError", "ReadTimeoutError"}:
        return TransientError(f"AWS did not give the secret {key!r}: {code}", fix="try again in a moment")
    return AuthError(f"AWS did not give the secret {key!r}: {code}", fix="check its name, the region and your rights")

"""
Rules for what is fetched when a task is launched: secrets, environment files, logins of registries.

Texts as observed at RegisterTaskDefinition, where one is known: those of a missing execution role, of a parameter's
name, and of too many files. The others are ours, the ones on malformed ARNs among them.
"""

from __future__ import annotations

import re

from tidegate.api import ecs
from tidegate.model.secret_reference import BadReference, SecretReference, parse_reference

MAX_ENVIRONMENT_FILES = 10

_OBJECT = re.compile(r"arn:aws[a-z-]*:s3:::[^/]+/.+", re.DOTALL)
_SECRET_NAME = re.compile(r"[A-Za-z0-9/_+=.@!\-]{1,512}")
_SECRETS_ROLE = "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
_REGISTRY_ROLE = (
    "Private repository authentication requires that the task definition specify a value for executionRoleArn."
)
_FILES_ROLE = "When you are specifying environment files, you must also specify a value for 'executionRoleArn'."


def check_secrets(definition: ecs.TaskDefinition) -> None:
    """Refuse what can't be fetched, and what has nobody to fetch it. Raises ClientException."""
    for container in definition.container_definitions or ():
        options = container.log_configuration.secret_options if container.log_configuration else None
        for secret in (*(container.secrets or ()), *(options or ())):
            _check_secret(container, secret)
        _check_files(container.environment_files or ())
        _check_login(container)
        if not definition.execution_role_arn:
            _refuse_without_role(container, options)


def needs_newest_platform(container: ecs.ContainerDefinition) -> bool:
    """If platform version 1.3.0 lacks something: files, and parts or versions of a secret."""
    references = (parse_reference(secret.value_from) for secret in container.secrets or ())
    is_part = any(
        isinstance(one, SecretReference) and (one.json_key or one.version_stage or one.version_id) for one in references
    )
    return bool(container.environment_files) or is_part


def _check_secret(container: ecs.ContainerDefinition, secret: ecs.Secret) -> None:
    if not secret.name or "=" in secret.name or "\0" in secret.name:
        raise ecs.ClientException(
            f"Invalid setting for container '{container.name}'. A secret's name must not be empty or contain '=' or a "
            "null character."
        )
    try:
        parse_reference(secret.value_from)
    except BadReference as error:
        if str(error):
            raise ecs.ClientException(f"Invalid 'valueFrom' of secret {secret.name}: {error}.") from None
        raise ecs.ClientException(
            f"The Systems Manager parameter name specified for secret {secret.name} is invalid. The parameter name can "
            "be up to 2048 characters and include the following letters and symbols: a-zA-Z0-9_.-"
        ) from None


def _check_files(files: tuple[ecs.EnvironmentFile, ...]) -> None:
    if len(files) > MAX_ENVIRONMENT_FILES:
        raise ecs.ClientException(
            "The maximum number of environment files was exceeded. Specify ten or less and try again."
        )
    for file in files:
        if not _OBJECT.fullmatch(file.value):
            raise ecs.ClientException("Invalid arn syntax.")
        if not file.value.endswith(".env"):
            raise ecs.ClientException(f"The environment file {file.value} must have the file extension .env.")


def _check_login(container: ecs.ContainerDefinition) -> None:
    if container.repository_credentials is None:
        return
    named = container.repository_credentials.credentials_parameter
    if not (_is_secret(named) if named.startswith("arn:") else _SECRET_NAME.fullmatch(named)):
        raise ecs.ClientException(
            f"Invalid setting for container '{container.name}'. 'credentialsParameter' must be the ARN or the name of "
            "a Secrets Manager secret."
        )


def _is_secret(arn: str) -> bool:
    """The whole of one: a login is no part of a secret."""
    try:
        return parse_reference(arn) == SecretReference(arn)
    except BadReference:
        return False


def _refuse_without_role(container: ecs.ContainerDefinition, options: tuple[ecs.Secret, ...] | None) -> None:
    if container.secrets or options:
        raise ecs.ClientException(_SECRETS_ROLE)
    if container.repository_credentials is not None:
        raise ecs.ClientException(_REGISTRY_ROLE)
    if container.environment_files:
        raise ecs.ClientException(_FILES_ROLE)

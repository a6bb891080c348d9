"""
What `valueFrom` of a container's secret names: a parameter, or a secret and which part of it.

    arn:aws:ssm:REGION:ACCOUNT:parameter/NAME, or the name alone
    arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX[:JSON-KEY:STAGE:VERSION-ID]

Source: Developer Guide, "Pass Secrets Manager secrets through Amazon ECS environment variables" and the one on Systems
Manager.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PARAMETER = re.compile(r"[A-Za-z0-9_.\-/]{1,2048}")
_OWNER = re.compile(r"arn:aws(-[a-z]+)*:(ssm|secretsmanager):[a-z0-9-]+:[0-9]{12}:")
_SECRET_PARTS = 7
_WITH_EVERYTHING = 10


class BadReference(ValueError):
    """It is neither; the message says what is wrong with an ARN, and is empty for a bad name."""


@dataclass(frozen=True, slots=True)
class ParameterReference:
    """A parameter of the Parameter Store, by name or ARN."""

    parameter: str


@dataclass(frozen=True, slots=True)
class SecretReference:
    """A secret by its ARN (or name), and what of it is wanted; empty: the whole of its current version."""

    secret: str
    json_key: str = ""
    version_stage: str = ""
    version_id: str = ""


def parse_reference(text: str) -> ParameterReference | SecretReference:
    """What a `valueFrom` names. Raises BadReference."""
    if not text.startswith("arn:"):
        if not _PARAMETER.fullmatch(text):
            raise BadReference
        return ParameterReference(text)
    parts = text.split(":")
    if len(parts) > 3 and parts[2] == "ssm":
        kind, slash, name = parts[5].partition("/") if len(parts) == 6 and _OWNER.match(text) else ("", "", "")
        if kind != "parameter" or not slash or not _PARAMETER.fullmatch(name):
            raise BadReference("an invalid ARN format for the AWS Systems Manager parameter was specified")
        return ParameterReference(text)
    if len(parts) > 3 and parts[2] == "secretsmanager":
        return _secret(text, parts)
    raise BadReference("an ARN has to be that of a Systems Manager parameter or a Secrets Manager secret")


def _secret(text: str, parts: list[str]) -> SecretReference:
    is_whole = len(parts) in (_SECRET_PARTS, _WITH_EVERYTHING) and _OWNER.match(text)
    if not is_whole or parts[5] != "secret" or not parts[6]:
        raise BadReference("an invalid ARN format for the AWS Secrets Manager secret was specified")
    json_key, stage, version = parts[_SECRET_PARTS:] or ("", "", "")
    if stage and version:
        raise BadReference("a version stage and a version id can't both be specified for a secret")
    return SecretReference(":".join(parts[:_SECRET_PARTS]), json_key, stage, version)

"""
How a task definition may name its roles: by ARN, or by name and path in the caller's account.

Source: IAM user guide, "IAM identifiers". That there is such a role, and that ECS may use it, is IAM's to say.
"""

from __future__ import annotations

import re

from tidegate.api import ecs

_PREFIX = re.compile(r"arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/")
_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_PATH = re.compile(r"/?([!-~]*/)?")
_LONGEST = 2048


def check_roles(task_role: str | None, execution_role: str | None) -> None:
    """Refuse what is no name of a role. Raises ClientException."""
    for role in (task_role, execution_role):
        if not role:
            continue
        if not _is_role(role):
            raise ecs.ClientException("Role is not valid")


def _is_role(text: str) -> bool:
    prefix = _PREFIX.match(text)
    if len(text) > _LONGEST or (prefix is None and text.startswith("arn:")):
        return False
    path, slash, name = (text[prefix.end() :] if prefix else text).rpartition("/")
    return _NAME.fullmatch(name) is not None and _PATH.fullmatch(path + slash) is not None

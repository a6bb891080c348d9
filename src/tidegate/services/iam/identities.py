"""Who is meant by a name or an ARN, and the ids that they are known by for good."""

from __future__ import annotations

import secrets
import string
from typing import TypeVar

from tidegate.model.arn import partition
from tidegate.model.identity import Group, InstanceProfile, ManagedPolicy, Named, Role, User
from tidegate.store.store import Store

N = TypeVar("N", bound=Named)

PREFIXES: dict[type[Named], str] = {
    User: "AIDA",
    Role: "AROA",
    Group: "AGPA",
    ManagedPolicy: "ANPA",
    InstanceProfile: "AIPA",
}
NOUNS: dict[type[Named], str] = {
    User: "user",
    Role: "role",
    Group: "group",
    ManagedPolicy: "policy",
    InstanceProfile: "instance-profile",
}
"""As ARNs have them."""

_ID_CHARACTERS = string.ascii_uppercase + "234567"
_ID_LENGTH = 17
_SECRET_CHARACTERS = string.ascii_letters + string.digits + "+/"


def new_id(kind: type[Named]) -> str:
    """E.g. AROA and 17 random characters."""
    return PREFIXES[kind] + _random(_ID_CHARACTERS, _ID_LENGTH)


def new_access_key(prefix: str) -> tuple[str, str]:
    """(id, secret): 20 and 40 characters. prefix: AKIA for good, ASIA for a while."""
    return prefix + _random(_ID_CHARACTERS, 16), _random(_SECRET_CHARACTERS, 40)


def entity_arn(entity: Named, account: str, region: str) -> str:
    """arn:aws:iam::<account>:<noun>/<path>/<name>."""
    return f"arn:{partition(region)}:iam::{account}:{NOUNS[type(entity)]}{entity.path}{entity.name}"


def session_arn(role: str, session: str, account: str, region: str) -> str:
    """arn:aws:sts::<account>:assumed-role/<role's name>/<session's>: without the role's path."""
    return f"arn:{partition(region)}:sts::{account}:assumed-role/{role}/{session}"


def find_named(store: Store, kind: type[N], name: str) -> N | None:
    """By its name, in the case that it was given."""
    found = store.get(kind, name.lower())
    return found if found is not None and found.name == name else None


def find_role(store: Store, arn: str) -> Role | None:
    """
    The role that an ARN means: a role's own, or that of a session of it.

    It goes by the name alone, which is the account's only one: so what a task definition that was written for another
    account names is found here.
    """
    resource = arn.split(":", 5)[-1]
    noun, _, rest = resource.partition("/")
    name = rest.partition("/")[0] if noun == "assumed-role" else rest.rpartition("/")[2]
    return find_named(store, Role, name) if noun in ("role", "assumed-role") else None


def find_user(store: Store, arn: str) -> User | None:
    """The user that an ARN means."""
    resource = arn.split(":", 5)[-1]
    return find_named(store, User, resource.rpartition("/")[2]) if resource.startswith("user/") else None


def _random(characters: str, length: int) -> str:
    return "".join(secrets.choice(characters) for _ in range(length))

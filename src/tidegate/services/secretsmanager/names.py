"""
Secrets by what requests call them: a name, an ARN, an ARN without its last six characters.

Source: API reference, GetSecretValue, SecretId.
"""

from __future__ import annotations

import re
import secrets
import string

from tidegate.api.shape import Context
from tidegate.model.arn import arn
from tidegate.model.secret import Secret
from tidegate.services.secretsmanager.errors import ValidationException, marked_for_deletion, not_found
from tidegate.store.store import Store

SUFFIX_CHARACTERS = 6
_NAME = re.compile(r"[A-Za-z0-9/_+=.@!\-]{1,512}")
_ALPHABET = string.ascii_letters + string.digits


def check_new_name(name: str) -> None:
    """Refuse a name that a secret can't have."""
    if not _NAME.fullmatch(name):
        raise ValidationException(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"
        )


def new_suffix() -> str:
    """Six random characters."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(SUFFIX_CHARACTERS))


def secret_arn(ctx: Context, secret: Secret) -> str:
    """arn:aws:secretsmanager:<region>:<account>:secret:<name>-<six characters>."""
    return arn("secretsmanager", ctx.region, ctx.account, f"secret:{secret.name}-{secret.suffix}")


def find_secret(store: Store, ctx: Context, identifier: str, now: float) -> Secret | None:
    """The secret that an identifier names, unless its recovery window has ended."""
    found = _find_by_arn(store, ctx, identifier) if identifier.startswith("arn:") else store.get(Secret, identifier)
    if found is None or (found.purge_at is not None and found.purge_at <= now):
        return None
    return found


def _find_by_arn(store: Store, ctx: Context, text: str) -> Secret | None:
    parts = text.split(":")
    if len(parts) != 7 or parts[2:6] != ["secretsmanager", ctx.region, ctx.account, "secret"]:
        return None
    name, dash, suffix = parts[6].rpartition("-")
    whole = store.get(Secret, name) if dash else None
    if whole is not None and whole.suffix == suffix:
        return whole
    return store.get(Secret, parts[6])


def get_secret(store: Store, ctx: Context, identifier: str, now: float) -> Secret:
    """Also one that is marked for deletion. Raises ResourceNotFoundException."""
    found = find_secret(store, ctx, identifier, now)
    if found is None:
        raise not_found()
    return found


def get_live_secret(store: Store, ctx: Context, identifier: str, now: float) -> Secret:
    """Raises ResourceNotFoundException, InvalidRequestException."""
    found = get_secret(store, ctx, identifier, now)
    if found.deleted_at is not None:
        raise marked_for_deletion()
    return found

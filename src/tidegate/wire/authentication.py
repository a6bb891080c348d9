"""Who asks: by the signature, or the root of the account where signatures are switched off."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address

from tidegate.api.shape import Context
from tidegate.model.arn import global_arn
from tidegate.wire.sigv4 import KeyRing, SignatureProblem, SignedRequest, verify
from tidegate.wire.validation import WireError

_PORT = re.compile(r":[0-9]+\Z")


@dataclass(frozen=True, slots=True)
class Identity:
    """Of the server: whose account, where; `root` is who asks when signatures are switched off."""

    account: str
    region: str

    @property
    def root(self) -> str:
        """The account's root."""
        return global_arn("iam", self.region, self.account, "root")


class Authenticator:
    """keys None: signatures are not looked at (--insecure-no-auth)."""

    def __init__(self, identity: Identity, keys: KeyRing | None) -> None:
        self._identity = identity
        self._keys = keys

    def authenticate(self, request: SignedRequest, service: str, request_id: str) -> Context:
        """The context of a request to `service`. Raises SignatureProblem, WireError."""
        identity, host = self._identity, request.headers.get("host", "")
        if self._keys is None:
            _refuse_web_pages(request.headers)
            return Context(
                identity.account, identity.region, request_id, identity.root, user_id=identity.account, host=host
            )
        claim, key = verify(request, self._keys, identity.region, datetime.now(UTC))
        if claim.scope.service != service:
            raise SignatureProblem("mismatch", f"Credential should be scoped to correct service: '{service}'.")
        return Context(
            identity.account,
            identity.region,
            request_id,
            key.principal,
            claim.scope.access_key,
            key.user_id,
            request.client,
            request.is_secure,
            request.headers.get("user-agent", ""),
            key.session,
            host,
        )


def _refuse_web_pages(headers: Mapping[str, str]) -> None:
    """
    Where signatures are off, any page in a browser on this machine could ask: forms send what query protocols take.

    Browsers tell the page's origin, but not when its own name leads here (DNS rebinding): that name is the Host.
    """
    if "origin" in headers:
        raise WireError("AccessDeniedException", "cannot answer a web page: signatures are switched off here", 403)
    host = headers.get("host")
    if host is not None and not _is_address_or_localhost(host):
        raise WireError(
            "AccessDeniedException",
            f"cannot answer as `{host[:100]}`: signatures are off here, so the endpoint must be named localhost "
            "or by its IP address",
            403,
        )


def _is_address_or_localhost(host: str) -> bool:
    name = _PORT.sub("", host).lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True

"""Who asks: by the signature, or the root of the account where signatures are switched off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tidegate.api.shape import Context
from tidegate.wire.sigv4 import KeyRing, SignatureProblem, SignedRequest, verify
from tidegate.wire.validation import WireError


@dataclass(frozen=True, slots=True)
class Identity:
    """Of the server: whose account, where; `root` is who asks when signatures are switched off."""

    account: str
    region: str

    @property
    def root(self) -> str:
        """The account's root."""
        return f"arn:aws:iam::{self.account}:root"


class Authenticator:
    """keys None: signatures are not looked at (--insecure-no-auth)."""

    def __init__(self, identity: Identity, keys: KeyRing | None) -> None:
        self._identity = identity
        self._keys = keys

    def authenticate(self, request: SignedRequest, service: str, request_id: str) -> Context:
        """The context of a request to `service`. Raises SignatureProblem, WireError."""
        identity = self._identity
        if self._keys is None:
            if "origin" in request.headers:  # a form on any page can send what the query protocols take
                raise WireError(
                    "AccessDeniedException", "cannot answer a web page: signatures are switched off here", 403
                )
            return Context(identity.account, identity.region, request_id, identity.root)
        claim, key = verify(request, self._keys, identity.region, datetime.now(UTC))
        if claim.scope.service != service:
            raise SignatureProblem("mismatch", f"Credential should be scoped to correct service: '{service}'.")
        return Context(identity.account, identity.region, request_id, key.principal, claim.scope.access_key)

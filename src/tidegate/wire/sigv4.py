"""
AWS Signature Version 4: verifying it, and signing with it.

Source: "Signature Version 4 signing process", IAM user guide; the errors are those that AWS answers with.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote

from tidegate.api.shape import Session

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW_SECONDS = 900
LONGEST_PRESIGNED_SECONDS = 604_800
GLOBAL_REGIONS = {"iam": "us-east-1", "sts": "us-east-1"}
"""Services that AWS has once for all regions: clients may sign for this one."""
EMPTY_HASH = hashlib.sha256(b"").hexdigest()
_HEADER = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<credential>[^,\s]+),\s*SignedHeaders=(?P<headers>[^,\s]+),\s*"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")


@dataclass(frozen=True, slots=True)
class Key:
    """What an access key opens. principal: its owner's ARN; user_id: the id that they are known by for good."""

    secret: str = field(repr=False)
    principal: str
    user_id: str = ""
    session: Session | None = None
    """Of temporary credentials: they expire."""


class KeyRing(Protocol):
    """Where keys are looked up; called once a request, so it must be quick."""

    def find(self, access_key_id: str, session_token: str | None) -> Key | None:
        """The key, expired or not; None if there is none by that id that goes with that token, or with none."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signature covers. Names of headers in lower case; the path as it was sent, the query decoded."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    client: str = ""
    """The address that it came from; the signature does not cover it."""
    is_secure: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """The credential scope of a request."""

    access_key: str
    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


class SignatureProblem(Exception):
    """
    Why a request is not let in.

    kind: `missing`, `incomplete`, `unknown-key`, `mismatch`, `expired`, `expired-token`; the protocols give each the
    code of theirs.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
UNKNOWN_KEY = "The security token included in the request is invalid."
EXPIRED = "The security token included in the request is expired"


@dataclass(frozen=True, slots=True)
class Claim:
    """The signature that a request carries, taken apart."""

    scope: Scope
    signed_headers: tuple[str, ...]
    signature: str
    at: str
    """X-Amz-Date."""
    expires_seconds: int | None
    """Of a presigned request."""
    session_token: str | None = None


def read_claim(request: SignedRequest) -> Claim:
    """From the Authorization header or the query. Raises SignatureProblem."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return _claim_of_header(authorization, request.headers)
    query = dict(request.query)
    if "X-Amz-Signature" in query:
        if len(query) != len(request.query):
            raise SignatureProblem("incomplete", "A parameter of a presigned request must be given once.")
        return _claim_of_query(query)
    raise SignatureProblem("missing", "Missing Authentication Token")


def verify(request: SignedRequest, keys: KeyRing, region: str, now: datetime) -> tuple[Claim, Key]:
    """Whose request it is. Raises SignatureProblem."""
    claim = read_claim(request)
    scope = claim.scope
    if scope.region != region and scope.region != GLOBAL_REGIONS.get(scope.service):
        raise SignatureProblem("mismatch", f"Credential should be scoped to a valid region, not '{scope.region}'.")
    _check_headers(request, claim)
    _check_time(claim, now)
    key = keys.find(scope.access_key, claim.session_token)
    if key is None:
        raise SignatureProblem("unknown-key", UNKNOWN_KEY)
    expected = _signature(request, claim, key.secret)
    if not hmac.compare_digest(expected, claim.signature):
        raise SignatureProblem("mismatch", MISMATCH)
    if key.session is not None and key.session.expires_at <= now.timestamp():
        raise SignatureProblem("expired-token", EXPIRED)
    return claim, key


def sign_headers(
    *,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    access_key: str,
    secret_key: str,
    region: str,
    service: str,
    now: datetime | None = None,
    session_token: str | None = None,
) -> dict[str, str]:
    """`headers` (which must have `host`) with those added that make the request a signed one."""
    at = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    signed = {name.lower(): value for name, value in headers.items()} | {"x-amz-date": at}
    if session_token:
        signed["x-amz-security-token"] = session_token
    names = tuple(sorted(signed))
    scope = Scope(access_key, at[:8], region, service)
    claim = Claim(scope, names, "", at, None)
    signature = _signature(SignedRequest(method, path, (), signed, body), claim, secret_key)
    signed["authorization"] = (
        f"{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return signed


def _claim_of_header(text: str, headers: Mapping[str, str]) -> Claim:
    match = _HEADER.fullmatch(text.strip())
    if match is None:
        raise SignatureProblem(
            "incomplete",
            f"Authorization header requires {ALGORITHM} with 'Credential', 'SignedHeaders' and 'Signature' parameters.",
        )
    names = tuple(match["headers"].split(";"))
    at, token = headers.get("x-amz-date", ""), headers.get("x-amz-security-token")
    return Claim(_scope(match["credential"]), names, match["signature"], at, None, token)


def _claim_of_query(query: Mapping[str, str]) -> Claim:
    try:
        expires = int(query["X-Amz-Expires"])
        if query["X-Amz-Algorithm"] != ALGORITHM or not 0 < expires <= LONGEST_PRESIGNED_SECONDS:
            raise ValueError
        names = tuple(query["X-Amz-SignedHeaders"].split(";"))
        scope, token = _scope(query["X-Amz-Credential"]), query.get("X-Amz-Security-Token")
        return Claim(scope, names, query["X-Amz-Signature"], query["X-Amz-Date"], expires, token)
    except (KeyError, ValueError) as error:
        raise SignatureProblem(
            "incomplete",
            "AWS query-string parameters must include 'X-Amz-Algorithm', 'X-Amz-Credential', "
            "'X-Amz-Date', 'X-Amz-Expires' (1 to 604800), 'X-Amz-SignedHeaders' and 'X-Amz-Signature'.",
        ) from error


@lru_cache(maxsize=1024)
def _scope(credential: str) -> Scope:
    parts = credential.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request" or not all(parts):
        raise SignatureProblem(
            "incomplete", "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term"
        )
    return Scope(*parts[:4])


def _check_headers(request: SignedRequest, claim: Claim) -> None:
    """host is signed, the date is, and so is every x-amz- header that the service might go by."""
    signed = set(claim.signed_headers)
    wanted = {"host"} if claim.expires_seconds is not None else {"host", "x-amz-date"}
    wanted |= {name for name in request.headers if name.startswith("x-amz-") and name != "x-amz-content-sha256"}
    missing = wanted - signed
    if missing:
        raise SignatureProblem("mismatch", f"'{sorted(missing)[0]}' must be a 'SignedHeader' in the AWS Authorization.")
    if not signed <= set(request.headers):
        raise SignatureProblem("mismatch", MISMATCH)


def _check_time(claim: Claim, now: datetime) -> None:
    if not _DATE.fullmatch(claim.at) or claim.at[:8] != claim.scope.date:
        raise SignatureProblem("incomplete", "Date must be in ISO-8601 'basic format', and that of the credential.")
    at = _parse_date(claim.at)
    skew = timedelta(seconds=SKEW_SECONDS)
    if at > now + skew:
        stamp, edge = (t.strftime("%Y%m%dT%H%M%SZ") for t in (now, now + skew))
        raise SignatureProblem(
            "expired", f"Signature not yet current: {claim.at} is still later than {edge} ({stamp} + 15 min.)"
        )
    if claim.expires_seconds is not None:
        skew = timedelta(seconds=claim.expires_seconds)
    if at < now - skew:
        stamp, edge = (t.strftime("%Y%m%dT%H%M%SZ") for t in (now, now - skew))
        minutes = int(skew.total_seconds() // 60)
        raise SignatureProblem(
            "expired", f"Signature expired: {claim.at} is now earlier than {edge} ({stamp} - {minutes} min.)"
        )


@lru_cache(maxsize=64)
def _parse_date(text: str) -> datetime:
    """Clients name a second, and send many requests in it."""
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise SignatureProblem("incomplete", f"'{text}' is no date.") from error


def _signature(request: SignedRequest, claim: Claim, secret: str) -> str:
    canonical = _canonical_request(request, claim).encode()
    scope = claim.scope
    text = f"{ALGORITHM}\n{claim.at}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"
    key = _signing_key(secret, scope.date, scope.region, scope.service)
    return hmac.digest(key, text.encode(), "sha256").hex()


def _canonical_request(request: SignedRequest, claim: Claim) -> str:
    headers = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in claim.signed_headers)
    pairs = [(n, v) for n, v in request.query if n != "X-Amz-Signature"] if request.query else []
    query = "&".join(f"{n}={v}" for n, v in sorted((quote(n, safe="-_.~"), quote(v, safe="-_.~")) for n, v in pairs))
    path = "/" if request.path in ("", "/") else quote(request.path, safe="/-_.~")
    body = hashlib.sha256(request.body).hexdigest() if request.body else EMPTY_HASH
    return f"{request.method}\n{path}\n{query}\n{headers}\n{';'.join(claim.signed_headers)}\n{body}"


@lru_cache(maxsize=1024)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key

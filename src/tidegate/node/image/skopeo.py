"""
Runs skopeo, which speaks to registries and knows the archive formats: all of the wire, of authentication and of mirrors
is its work.

Credentials are in no argument: skopeo reads them from the file that docker or containers-auth.json(5) keep, or from one
that is made for a task's own login (see `login`).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio

from tidegate.kernel import failpoint
from tidegate.model.execution import RegistryLogin
from tidegate.node.image.images import ImageError, PullTimeout
from tidegate.node.image.login import login_file
from tidegate.node.image.reference import Reference, is_loopback

_POLICIES = (Path("/etc/containers/policy.json"), Path("~/.config/containers/policy.json"))
_MESSAGE_BYTES = 64 << 10
_WATCH_SECONDS = 0.5


class SkopeoFailed(Exception):
    """skopeo ended with an error; str() is what it wrote."""


@dataclass(frozen=True)
class RegistryOptions:
    """How registries are spoken to."""

    auth_file: Path | None = None
    """
    None: $REGISTRY_AUTH_FILE, $DOCKER_CONFIG/config.json, then skopeo's own places (~/.docker/config.json among them).
    """
    login_directory: Path | None = None
    """Where logins of tasks are while they are used: in memory, closed to others. None: among temporary files."""
    insecure_registries: frozenset[str] = frozenset()
    """HOST[:PORT] of those that may be plain HTTP or have any certificate; those on loopback may always."""
    retries: int = 2
    """More tries after a network error; the pauses double, from a second."""
    resolve_seconds: float = 60
    """For a manifest."""
    stall_seconds: float = 60
    """Without a byte of progress."""
    pull_seconds: float = 7200
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


class Skopeo:
    """Each call is one process; it is killed if its caller is cancelled."""

    def __init__(self, options: RegistryOptions, program: str = "skopeo") -> None:
        self.options = options
        self._program = program

    @contextmanager
    def logged_in(self, reference: Reference, login: RegistryLogin | None) -> Iterator[Skopeo]:
        """As this one, with a login of its own for the reference's registry. Raises OSError."""
        if login is None:
            yield self
            return
        with login_file(self.options.login_directory, reference.registry, login) as path:
            yield Skopeo(replace(self.options, auth_file=path), self._program)

    async def inspect_manifest(self, reference: Reference) -> bytes:
        """A manifest or index, as the registry has it. Raises SkopeoFailed, ImageError."""
        await failpoint.reach("image.resolve", SkopeoFailed)
        command = ["inspect", "--raw", *self._registry_options(reference, ""), f"docker://{reference}"]
        try:
            with anyio.fail_after(self.options.resolve_seconds):
                return await self._run(command)
        except TimeoutError as error:
            raise SkopeoFailed(f"no answer within {self.options.resolve_seconds:g} seconds: i/o timeout") from error

    async def pull(self, reference: Reference, layout: Path, blobs: Path, count_bytes: Callable[[], int]) -> None:
        """
        Copy an image into the OCI layout `layout`, its blobs to `blobs`; those that are there are not fetched again.

        `count_bytes` tells how much has come. Raises SkopeoFailed, ImageError.
        """
        await failpoint.reach("image.download", SkopeoFailed)
        command = ["copy", *self._registry_options(reference, "src-"), *_into_layout(blobs)]
        await self._copy([*command, f"docker://{reference}", f"oci:{layout.name}:image"], layout.parent, count_bytes)

    async def read_archive(self, kind: str, archive: Path, layout: Path, blobs: Path) -> None:
        """Copy the one image in an `oci-archive` or `docker-archive` into a layout. Raises SkopeoFailed, ImageError."""
        # By a link, because a colon would end the path.
        link = layout.parent / "archive"
        link.symlink_to(Path.cwd() / archive)
        await self._copy(
            ["copy", *_into_layout(blobs), f"{kind}:{link.name}", f"oci:{layout.name}:image"], layout.parent
        )

    async def write_archive(self, kind: str, layout: Path, blobs: Path, archive: Path, name: str) -> None:
        """
        Copy the image of a layout into an archive beside it; `name` is `:REFERENCE` or empty. Raises SkopeoFailed,
        ImageError.
        """
        command = [
            "copy",
            "--src-shared-blob-dir",
            str(blobs),
            f"oci:{layout.name}:image",
            f"{kind}:{archive.name}{name}",
        ]
        await self._copy(command, layout.parent)

    async def _copy(
        self, command: Sequence[str], directory: Path, count_bytes: Callable[[], int] | None = None
    ) -> None:
        failure: SkopeoFailed | ImageError | None = None
        with anyio.move_on_after(self.options.pull_seconds) as limit:
            async with anyio.create_task_group() as group:
                stall = anyio.CancelScope()
                if count_bytes is not None:
                    group.start_soon(self._watch, count_bytes, stall)
                with stall:
                    try:
                        await self._run(command, directory)
                    except (SkopeoFailed, ImageError) as error:
                        failure = error
                group.cancel_scope.cancel()
        if failure is not None:
            raise failure
        if limit.cancelled_caught:
            seconds = self.options.pull_seconds
            raise PullTimeout(f"not done within {seconds:g} seconds", seconds)
        if stall.cancelled_caught:
            raise SkopeoFailed(f"no byte received for {self.options.stall_seconds:g} seconds: i/o timeout")

    async def _watch(self, count_bytes: Callable[[], int], stall: anyio.CancelScope) -> None:
        last, left = -1, self.options.stall_seconds
        while left > 0:
            now = count_bytes()
            left = self.options.stall_seconds if now != last else left - _WATCH_SECONDS
            last = now
            await anyio.sleep(_WATCH_SECONDS)
        stall.cancel()

    async def _run(self, command: Sequence[str], directory: Path | None = None) -> bytes:
        environment = dict(self.options.environment)
        if directory is not None:
            # Else what does not fit into memory goes to the host's /var/tmp.
            environment["TMPDIR"] = str(directory)
        try:
            done = await anyio.run_process(
                [self._program, *_policy_options(), *command],
                stdin=subprocess.DEVNULL,
                check=False,
                cwd=directory,
                env=environment,
            )
        except FileNotFoundError as error:
            raise ImageError(f"cannot pull or convert images: the program {self._program} is not installed") from error
        if done.returncode != 0:
            raise SkopeoFailed(done.stderr[-_MESSAGE_BYTES:].decode(errors="replace"))
        return done.stdout

    def _registry_options(self, reference: Reference, side: str) -> list[str]:
        """`side`: `src-` where a command has two ends."""
        options = ["--retry-times", str(self.options.retries)]
        if (auth_file := find_auth_file(self.options)) is not None:
            options += [f"--{side}authfile", str(auth_file)]
        if reference.registry in self.options.insecure_registries or is_loopback(reference.registry):
            options.append(f"--{side}tls-verify=false")
        return options


def find_auth_file(options: RegistryOptions) -> Path | None:
    """Where credentials are, if that isn't left to skopeo, which does not know $DOCKER_CONFIG in all its versions."""
    if options.auth_file is not None:
        return options.auth_file
    if path := options.environment.get("REGISTRY_AUTH_FILE"):
        return Path(path)
    docker = Path(options.environment.get("DOCKER_CONFIG") or "/nonexistent", "config.json")
    return docker if docker.exists() else None


def _into_layout(blobs: Path) -> list[str]:
    return ["--dest-shared-blob-dir", str(blobs), "--dest-oci-accept-uncompressed-layers", "--remove-signatures"]


def _policy_options() -> list[str]:
    """The host's policy of signatures binds; skopeo refuses to work where there is none."""
    return [] if any(path.expanduser().exists() for path in _POLICIES) else ["--insecure-policy"]

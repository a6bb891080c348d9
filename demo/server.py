"""The demo's own server: started once, found again, taken away."""

from __future__ import annotations

import json
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from devkit.steps import StepFailed, Terminal, run_step, tail

CHECKOUT = Path(__file__).resolve().parents[1]
HOME = CHECKOUT / ".demo"
STATE = HOME / "state"
LOG = HOME / "server.log"
_NOTES = HOME / "notes.json"
TIDEGATE = str(Path(sys.executable).with_name("tidegate"))

PORTS = (4566, *range(14566, 14576))
_START_SECONDS = 30.0


@dataclass(frozen=True)
class Access:
    """What a client needs: the values behind `tidegate env`."""

    endpoint: str
    region: str
    access_key: str
    secret_key: str


def ensure_server(terminal: Terminal) -> Access:
    """A server that answers. Raises StepFailed with the end of its log."""
    access = _find_running()
    if access is not None:
        terminal.say(f"server: runs already at {access.endpoint}")
        return access
    port = find_free_port(PORTS)
    if port != PORTS[0]:
        terminal.say(f"port {PORTS[0]} is taken by another program; the server listens on {port}")
    HOME.mkdir(mode=0o700, exist_ok=True)
    started = time.monotonic()
    with LOG.open("ab") as log:
        child = subprocess.Popen(
            [TIDEGATE, "server", "--state-dir", str(STATE), "--listen", f"127.0.0.1:{port}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    _wait_until_healthy(child, f"http://127.0.0.1:{port}")
    terminal.say(f"server: answers at http://127.0.0.1:{port} after {time.monotonic() - started:.1f} s")
    access = read_access()
    if access is None:
        raise StepFailed(f"cannot read the server's key (tidegate env)\n{tail(LOG)}")
    return access


def _wait_until_healthy(child: subprocess.Popen[bytes], endpoint: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not is_healthy(endpoint):
        if child.poll() is not None:
            raise StepFailed(f"cannot start the server: it ended with {child.returncode}\n{tail(LOG)}")
        if time.monotonic() > deadline:
            child.terminate()
            raise StepFailed(f"cannot start the server: no answer in {_START_SECONDS:.0f} s\n{tail(LOG)}")
        time.sleep(0.05)


def _find_running() -> Access | None:
    access = read_access()
    return access if access is not None and is_healthy(access.endpoint) else None


def is_healthy(endpoint: str) -> bool:
    """Does a server answer there that is ready for requests?"""
    try:
        with urllib.request.urlopen(f"{endpoint}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def read_access() -> Access | None:
    """From the state directory, by the command that users take; None: no server has been there."""
    if not STATE.is_dir():
        return None
    shown = subprocess.run([TIDEGATE, "env", "--state-dir", str(STATE)], capture_output=True, text=True, check=False)
    if shown.returncode != 0:
        return None
    words = (word.partition("=") for line in shown.stdout.splitlines() for word in shlex.split(line)[1:])
    values = {name: value for name, _, value in words}
    return Access(
        values["AWS_ENDPOINT_URL"], values["AWS_REGION"], values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"]
    )


def import_image(archive: Path, tag: str, terminal: Terminal) -> None:
    """Hand an archive to the server, unless it has this very one already."""
    notes = _read_notes()
    if notes.get(tag) == archive.name:
        return
    run_step(
        f"import of {tag}",
        [TIDEGATE, "image", "import", str(archive), "--tag", tag, "--state-dir", str(STATE)],
        HOME / "import.log",
        terminal=terminal,
    )
    _NOTES.write_text(json.dumps({**notes, tag: archive.name}))


def _read_notes() -> dict[str, str]:
    try:
        notes: dict[str, str] = json.loads(_NOTES.read_text())
    except FileNotFoundError:
        return {}
    return notes


def find_free_port(ports: Iterable[int]) -> int:
    """The first that nothing on this machine listens on. Raises StepFailed."""
    tried = []
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                tried.append(str(port))
            else:
                return port
    raise StepFailed(f"cannot find a free port: {', '.join(tried)} are taken")


def remove(terminal: Terminal) -> None:
    """Stop the task, end the server, remove what it made on this machine, then its files. Raises StepFailed."""
    if STATE.is_dir():
        run_step(
            "stopping the task and the server",
            [TIDEGATE, "teardown", "--yes", "--state-dir", str(STATE)],
            HOME / "teardown.log",
            terminal=terminal,
        )
    if HOME.exists():
        shutil.rmtree(HOME)
    terminal.say("the demo is gone; its images stay in .cache for the next time")

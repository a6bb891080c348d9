"""
`./dev demo`: a real application as one Fargate task, from nothing.

nginx -> a Python web app -> PostgreSQL, three containers that share one address. Builds their images from Debian
packages, starts a server in .demo, runs the task, sends it a request that writes and reads a row, and leaves it
running. `--down` takes all of it away.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from build_image import default_cache
from devkit.steps import StepFailed, Terminal
from imagebuild.build import build
from imagebuild.recipe import BadRecipe
from server import LOG, STATE, TIDEGATE, ensure_server, find_free_port, import_image, remove
from task import Stack, published_port, retry_until

CHECKOUT = Path(__file__).resolve().parents[1]
IMAGES = ("nginx", "web", "db")
HOST_PORTS = (8080, *range(18080, 18090))


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="./dev demo", description="nginx -> web app -> PostgreSQL as one task.")
    parser.add_argument("--down", action="store_true", help="stop the demo and remove what it made")
    options = parser.parse_args()
    terminal = Terminal.detect()
    try:
        if options.down:
            remove(terminal)
        else:
            show(terminal)
    except (BadRecipe, StepFailed, BotoCoreError, ClientError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


def show(terminal: Terminal) -> None:
    """The whole demo. Raises StepFailed."""
    archives = {name: build(recipe_of(name), default_cache(), terminal) for name in IMAGES}
    access = ensure_server(terminal)
    for name, archive in archives.items():
        import_image(archive, f"localhost/demo-{name}:latest", terminal)
    stack = Stack(access)
    task = stack.find_task()
    if task is None:
        port = find_free_port(HOST_PORTS)
        if port != HOST_PORTS[0]:
            terminal.say(f"port {HOST_PORTS[0]} is taken by another program; nginx is published on {port}")
        task = stack.run_task(CHECKOUT / "demo" / "task-definition.json", port)
        terminal.say(f"task: {task['taskArn']}")
    else:
        terminal.say(f"task: runs already, {task['taskArn']}")
    task = stack.wait_until_healthy(task, terminal)
    url = f"http://127.0.0.1:{published_port(task)}"
    request(url)
    timeline(task["taskArn"])
    what_next(task["taskArn"], url)


def recipe_of(name: str) -> Path:
    """Where the description of an image of the demo is."""
    return CHECKOUT / "demo" / "images" / name / f"{name}.toml"


def request(url: str) -> None:
    """Through nginx to the app to the database and back. Raises StepFailed."""
    form = urllib.parse.urlencode({"name": os.environ.get("SUDO_USER") or "a first visitor"}).encode()

    def post() -> bytes:
        with urllib.request.urlopen(f"{url}/visits", data=form, timeout=10) as answer:
            return bytes(answer.read())

    started = time.monotonic()
    try:
        answer = json.loads(retry_until(post, seconds=10))
    except (OSError, ValueError) as error:
        raise StepFailed(f"cannot get an answer from {url}/visits: {error}") from error
    print(f"\nPOST {url}/visits  ({(time.monotonic() - started) * 1000:.0f} ms)")
    print(json.dumps(answer, indent=2))


def timeline(task: str) -> None:
    """How long each phase of the launch took."""
    print(flush=True)
    subprocess.run([TIDEGATE, "describe", task, "--state-dir", str(STATE)], check=False)


def what_next(task: str, url: str) -> None:
    """Things to try."""
    tidegate = os.path.relpath(TIDEGATE, CHECKOUT)
    state = os.path.relpath(STATE, CHECKOUT)
    short = id_of(task)[:12]
    print(f"""
It all keeps running. Try:
  curl -d name=you {url}/visits ; curl {url}/
  export TIDEGATE_STATE_DIR={state}
  {tidegate} ps
  {tidegate} logs -f {short}
  {tidegate} stop {short}          # ./dev demo then runs it anew
  eval "$({tidegate} env)"         # and boto3, the aws CLI and Terraform talk to it as they are:
  aws ecs describe-tasks --tasks {id_of(task)}
  ./dev demo --down                    # removes all of it
The server's log: {os.path.relpath(LOG, CHECKOUT)}""")


def id_of(task: str) -> str:
    """The task's id, which does as well as its ARN within the default cluster."""
    return task.rpartition("/")[2]


if __name__ == "__main__":
    sys.exit(main())

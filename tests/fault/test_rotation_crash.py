"""kill -9 of the server while it replaces the master key: no secret is lost, and the next server ends it."""

from __future__ import annotations

import base64
import json
import os
import random
import sqlite3
import subprocess
import time

import pytest

from fixtures.server import PROGRAM, until
from fixtures.workload import Workload
from tidegate.store.keyfile import KeyFile, identify

pytestmark = [pytest.mark.fault, pytest.mark.host]

PARAMETERS = 120
KILLS = 4
FIRST_SEED = int(os.environ.get("TIDEGATE_FAULT_SEED", "1"))


def keys(work: Workload) -> tuple[bytes, ...]:
    return KeyFile(work.server.state.master_key).ensure()


def begin(work: Workload) -> subprocess.Popen[bytes]:
    """`tidegate rotate-key`, when the new key is there."""
    command = [*PROGRAM, "rotate-key", "--state-dir", str(work.server.state.path)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: len(keys(work)) == 2, "there is a new key")
    return child


def all_values(work: Workload) -> dict[str, str]:
    pages = work.client("ssm").get_paginator("get_parameters_by_path").paginate(Path="/crash", WithDecryption=True)
    found = {p["Name"]: p["Value"] for page in pages for p in page["Parameters"]}
    found["secret"] = work.client("secretsmanager").get_secret_value(SecretId="crash")["SecretString"]
    return found


@pytest.mark.parametrize("seed", [FIRST_SEED, FIRST_SEED + 1])
def test_kills_while_the_key_is_replaced(work: Workload, seed: int) -> None:
    """Whenever it dies: every value is read by the next server, which ends the change by itself; tasks go on."""
    chance = random.Random(seed)
    ssm = work.client("ssm")
    expected = {f"/crash/p{number:03d}": f"canary-{number}" for number in range(PARAMETERS)}
    for name, value in expected.items():
        ssm.put_parameter(Name=name, Value=value, Type="SecureString")
    work.client("secretsmanager").create_secret(Name="crash", SecretString="canary-secret")
    expected["secret"] = "canary-secret"
    first = keys(work)
    for _ in range(KILLS):
        command = begin(work)
        time.sleep(chance.uniform(0, 0.04))
        work.server.kill()
        assert command.wait(30) == 1
        assert len(keys(work)) == 2
        work.server.start()
        assert all_values(work) == expected
        until(lambda: len(keys(work)) == 1, "the old key is gone")
        assert all_values(work) == expected
    assert keys(work) != first
    task = work.run_shell("exit 7")
    assert work.wait_one(task, "STOPPED")["containers"][0]["exitCode"] == 7
    work.server.stop()
    _only_sealed_with(work, identify(keys(work)[0]))
    work.server.start()


def _only_sealed_with(work: Workload, key_id: bytes) -> None:
    """Every sealed text on disk names this key."""
    connection = sqlite3.connect(work.server.state.store_file)
    try:
        rows = connection.execute("SELECT value FROM record WHERE kind = 'parameter-version'").fetchall()
    finally:
        connection.close()
    texts = [base64.b64decode(json.loads(value)["sealed_value"]) for (value,) in rows]
    assert len(texts) == PARAMETERS
    assert {text[:9] for text in texts} == {b"\x02" + key_id}

"""The configuration of a log router, letter by letter."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from fakes.specs import task_spec
from tidegate.model.spec import ContainerSpec, LogRouter, RouterOutput
from tidegate.node.output.router import plan_router_config

GOLDEN = Path(__file__).parent / "golden"
TASK = msgspec.structs.replace(
    task_spec(ContainerSpec(name="app", image="i")), id="0" * 32, account="123456789012", region="eu-north-1"
)
CASES = {
    "fluentbit": LogRouter(
        kind="fluentbit",
        include="/fluent-bit/configs/parse-json.conf",
        outputs=(
            RouterOutput(
                container="app",
                options={
                    "Name": "http",
                    "Host": "logs.example.com",
                    "include-pattern": "^[a-z]",
                    "exclude-pattern": "debug|trace",
                },
                secrets={"HTTP_Passwd": "HTTP_Passwd_0"},
            ),
            RouterOutput(container="quiet"),
        ),
    ),
    "fluentd": LogRouter(
        kind="fluentd",
        include="/etc/more.conf",
        outputs=(
            RouterOutput(
                container="app",
                options={
                    "@type": "kinesis_firehose",
                    "region": "us-west-2",
                    "include-pattern": "x",
                    "exclude-pattern": "y",
                },
                secrets={"api_key": "api_key_0"},
            ),
        ),
    ),
    "bare": LogRouter(kind="fluentbit", adds_metadata=False),
}


@pytest.mark.parametrize("name", CASES)
def test_configurations(name: str):
    """As the ECS agent has them; the golden files are to be read."""
    assert plan_router_config(TASK, CASES[name]) == (GOLDEN / f"{name}.conf").read_text()


def test_secrets_are_named_only():
    """Their values are in the router's environment, never in a file of ours."""
    for kind, form in (("fluentbit", "key ${KEY_1}"), ("fluentd", "key \"#{ENV['KEY_1']}\"")):
        output = RouterOutput(container="app", options={"Name": "x", "@type": "x"}, secrets={"key": "KEY_1"})
        assert f"    {form}\n" in plan_router_config(TASK, LogRouter(kind=kind, outputs=(output,)))  # type: ignore[arg-type]

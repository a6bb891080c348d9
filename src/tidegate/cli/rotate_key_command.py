"""`tidegate rotate-key`: a new master key, and everything sealed with it."""

from __future__ import annotations

import time
from pathlib import Path

import click

from tidegate.api import tidegate
from tidegate.cli.client import Client
from tidegate.cli.target import find_target, state_option

POLL_SECONDS = 0.2


@click.command("rotate-key")
@state_option
def command(state_dir: Path | None) -> None:
    """Replace the master key that secrets are sealed with, while the server runs.

    Everything is sealed anew; tasks and calls go on meanwhile. Should the server end before that is done, both keys are
    kept, and the next server goes on; call this again to see how far it is.

    \b
    tidegate rotate-key
    """
    client = Client(find_target(state_dir))
    keys = _describe(client)
    if keys.old_key_ids:
        click.echo("The master key is being replaced already.")
    else:
        answer = client.tidegate("RotateMasterKey", tidegate.RotateMasterKeyRequest(), tidegate.RotateMasterKeyResponse)
        assert answer.keys is not None
        keys = answer.keys
    click.echo(f"New key {keys.current_key_id}; {keys.sealed_texts} secrets are to be sealed with it.")
    said = -1
    while keys.old_key_ids:
        if keys.problem:
            raise click.ClickException(
                f"{keys.problem}. The old key is kept; the server tries again until this is mended"
            )
        done = keys.sealed_texts - keys.stale_texts
        if done != said:
            click.echo(f"  {done} of {keys.sealed_texts} are")
            said = done
        time.sleep(POLL_SECONDS)
        keys = _describe(client)
    click.echo(f"Done: {keys.sealed_texts} secrets are sealed with {keys.current_key_id}; the old key is gone.")


def _describe(client: Client) -> tidegate.MasterKeys:
    answer = client.tidegate(
        "DescribeMasterKeys", tidegate.DescribeMasterKeysRequest(), tidegate.DescribeMasterKeysResponse
    )
    assert answer.keys is not None
    return answer.keys

"""A version of a parameter: found by what a request names, unsealed, shown."""

from __future__ import annotations

import base64

from tidegate.api import ssm
from tidegate.api.shape import Context
from tidegate.model.parameter import Parameter, ParameterVersion, version_key
from tidegate.model.sealed import sealed_context
from tidegate.services.ssm.names import find_parameter, parameter_arn, parse_wanted
from tidegate.store.secrets import Sealer
from tidegate.store.store import Store

DEFAULT_KEY = "alias/aws/ssm"
DATA_TYPE = "text"


class ParameterValues:
    """Reads values; whoever has this may see them."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer

    def find(self, ctx: Context, text: str) -> tuple[Parameter, ParameterVersion, str] | None:
        """
        What a name or an ARN, with a version or label or without, stands for; and its selector as it is shown.

        None if there is no such parameter or label; raises ParameterVersionNotFound for a number that is not there.
        """
        wanted = parse_wanted(ctx, text)
        parameter = find_parameter(self._store, wanted)
        if parameter is None:
            return None
        if not wanted.selector:
            return parameter, self.version(parameter, parameter.latest), ""
        is_number = wanted.selector.isascii() and wanted.selector.isdigit()
        number = int(wanted.selector[:18]) if is_number else parameter.labels.get(wanted.selector)
        if number is None:
            return None
        return parameter, self.version(parameter, number), f":{wanted.selector}"

    def version(self, parameter: Parameter, number: int) -> ParameterVersion:
        """Raises ParameterVersionNotFound."""
        found = self._store.get(ParameterVersion, version_key(parameter.name, number))
        if found is None:
            raise ssm.ParameterVersionNotFound(
                f"Systems Manager could not find version {number} of {parameter.name}. "
                "Verify the version and try again."
            )
        return found

    def read(self, version: ParameterVersion) -> str:
        """The plain value."""
        return self._sealer.unseal(version.sealed_value, sealed_context(ParameterVersion, version.key)).decode()

    def show(self, version: ParameterVersion, *, decrypts: bool | None) -> str:
        """The value as an answer has it: that of a SecureString only to those who ask for it to be decrypted."""
        if version.type == "SecureString" and not decrypts:
            return base64.b64encode(version.sealed_value).decode()
        return self.read(version)

    def describe(
        self, ctx: Context, version: ParameterVersion, selector: str = "", *, decrypts: bool | None
    ) -> ssm.Parameter:
        """As GetParameter, GetParameters and GetParametersByPath show it."""
        return ssm.Parameter(
            name=version.parameter,
            type=version.type,
            value=self.show(version, decrypts=decrypts),
            version=version.number,
            selector=selector or None,
            last_modified_date=version.modified_at,
            arn=parameter_arn(ctx, version.parameter),
            data_type=DATA_TYPE,
        )


def shown_key(version: ParameterVersion) -> str | None:
    """The KMS key, which only a SecureString has."""
    return version.key_id or DEFAULT_KEY if version.type == "SecureString" else None

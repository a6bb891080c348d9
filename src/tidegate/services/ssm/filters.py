"""
ParameterFilters and the older Filters: checked, then asked of each parameter.

Source: API reference, ParameterStringFilter; texts as observed at DescribeParameters and GetParametersByPath.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tidegate.api import ssm
from tidegate.model.parameter import Parameter, ParameterVersion
from tidegate.services.ssm.errors import ValidationException
from tidegate.services.ssm.names import check_path
from tidegate.services.ssm.values import DATA_TYPE, shown_key

Predicate = Callable[[Parameter, ParameterVersion], bool]

BY_PATH_KEYS = ("Type", "KeyId", "Label")
DESCRIBE_KEYS = ("Path", "Name", "Type", "KeyId", "Tier", "DataType")
_VALUES = {
    "Tier": ("Standard", "Advanced", "Intelligent-Tiering"),
    "Type": ("String", "StringList", "SecureString"),
}
_TEXTS: Mapping[str, Callable[[Parameter, ParameterVersion], str]] = {
    "Name": lambda parameter, version: parameter.name,
    "Type": lambda parameter, version: version.type,
    "KeyId": lambda parameter, version: shown_key(version) or "",
    "Tier": lambda parameter, version: version.tier,
    "DataType": lambda parameter, version: DATA_TYPE,
}


def plan_filters(filters: Sequence[ssm.ParameterStringFilter] | None, allowed: Sequence[str]) -> list[Predicate]:
    """One predicate a filter. Raises InvalidFilterKey, InvalidFilterOption, InvalidFilterValue, ValidationException."""
    seen: set[str] = set()
    planned = []
    for one in filters or ():
        if one.key in seen:
            raise ssm.InvalidFilterKey(
                f"The following filter is duplicated in the request: {one.key}. A request can contain only one "
                "occurrence of a specific filter."
            )
        seen.add(one.key)
        planned.append(_plan(one, allowed))
    return planned


def plan_old_filters(filters: Sequence[ssm.ParametersFilter] | None) -> list[Predicate]:
    """Filters: names by how they begin, the rest by what it is."""
    return [
        _plan(
            ssm.ParameterStringFilter(
                key=one.key, values=one.values, option="BeginsWith" if one.key == "Name" else "Equals"
            ),
            DESCRIBE_KEYS,
        )
        for one in filters or ()
    ]


def _plan(one: ssm.ParameterStringFilter, allowed: Sequence[str]) -> Predicate:
    values = one.values or ()
    if one.key.startswith("tag:") and allowed is DESCRIBE_KEYS:
        return _tag(one.key.removeprefix("tag:"), values)
    if one.key not in allowed:
        raise ssm.InvalidFilterKey(
            f"The following filter key is not valid: {one.key}. Valid filter keys include: [{', '.join(allowed)}]."
        )
    if not values:
        raise ssm.InvalidFilterValue("The following filter values are missing : null for filter key " + one.key)
    if one.key == "Path":
        return _path(one.option or "OneLevel", values)
    _check_values(one.key, values)
    option = one.option or "Equals"
    options = ("BeginsWith", "Contains", "Equals") if one.key == "Name" else ("BeginsWith", "Equals")
    _check_option(option, ("Equals",) if one.key == "Label" else options)
    if one.key == "Label":
        return lambda parameter, version: any(parameter.labels.get(value) == version.number for value in values)
    return _text(_TEXTS[one.key], option, values)


def _text(text: Callable[[Parameter, ParameterVersion], str], option: str, values: Sequence[str]) -> Predicate:
    match option:
        case "BeginsWith":
            return lambda parameter, version: text(parameter, version).startswith(tuple(values))
        case "Contains":
            return lambda parameter, version: any(value in text(parameter, version) for value in values)
        case _:
            return lambda parameter, version: text(parameter, version) in values


def _path(option: str, values: Sequence[str]) -> Predicate:
    _check_option(option, ("Recursive", "OneLevel"))
    prefixes = [check_path(value) for value in values]
    return lambda parameter, version: any(
        is_below(parameter.name, prefix, is_recursive=option == "Recursive") for prefix in prefixes
    )


def is_below(name: str, prefix: str, *, is_recursive: bool) -> bool:
    """If a parameter is in the hierarchy `prefix`, which ends with a slash; names without one are below `/`."""
    full = name if name.startswith("/") else f"/{name}"
    return full.startswith(prefix) and (is_recursive or "/" not in full[len(prefix) :])


def _tag(key: str, values: Sequence[str]) -> Predicate:
    return lambda parameter, version: key in parameter.tags and (not values or parameter.tags[key] in values)


def _check_values(key: str, values: Sequence[str]) -> None:
    valid = _VALUES.get(key)
    for value in values:
        if valid is not None and value not in valid:
            raise ssm.InvalidFilterValue(
                f"The following filter value is not valid: {value}. Valid values include: [{', '.join(valid)}]."
            )


def _check_option(option: str, valid: Sequence[str]) -> None:
    if option not in valid:
        raise ssm.InvalidFilterOption(
            f"The following filter option is not valid: {option}. Valid options include: [{', '.join(valid)}]."
        )


def check_not_both(request: ssm.DescribeParametersRequest) -> None:
    """DescribeParameters takes one kind of filters."""
    if request.filters and request.parameter_filters:
        raise ValidationException("You can use either Filters or ParameterFilters in a single request.")

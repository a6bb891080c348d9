"""What records say of one another must be true, after every call."""

from __future__ import annotations

from fakes.served import Served
from tidegate.model.account import AccessKey, SecurityGroup, Subnet, Vpc
from tidegate.model.identity import Grantee, Group, InstanceProfile, ManagedPolicy, Role, User
from tidegate.model.log import LogGroup, LogStream
from tidegate.model.parameter import Parameter, ParameterVersion
from tidegate.model.secret import Secret, SecretVersion, secret_version_key
from tidegate.model.task import ClientToken, Cluster, Family, Task, TaskDefinition


def check_references(served: Served) -> None:
    """Whatever a record names is there. Raises AssertionError."""
    _check_tasks(served)
    _check_network(served)
    _check_logs(served)
    _check_secrets(served)
    _check_identities(served)


def _check_tasks(served: Served) -> None:
    store = served.store
    for task in store.select(Task):
        assert store.get(Cluster, task.cluster) is not None
        definition = store.get(TaskDefinition, task.definition)
        assert definition is not None
        names = {container.name for container in definition.spec.container_definitions or ()}
        assert names == set(task.container_ids)
        assert {status.name for status in task.status.containers} <= names
        for subnet in task.subnets:
            assert store.get(Subnet, subnet) is not None
    for definition in store.select(TaskDefinition):
        family = store.get(Family, definition.family)
        assert family is not None
        assert definition.number <= family.latest
        assert (definition.spec.family, definition.spec.revision) == (definition.family, definition.number)
    for token in store.select(ClientToken):
        assert all(store.get(Task, task) is not None for task in token.tasks)


def _check_network(served: Served) -> None:
    store = served.store
    for subnet in store.select(Subnet):
        assert store.get(Vpc, subnet.vpc) is not None
    for group in store.select(SecurityGroup):
        assert store.get(Vpc, group.vpc) is not None
        assert group.rules.id == group.id
        rules = (*group.rules.ingress, *group.rules.egress)
        assert len(group.rule_details) == len(rules)
        assert all(store.get(SecurityGroup, rule.group) is not None for rule in rules if rule.group)


def _check_logs(served: Served) -> None:
    for stream in served.store.select(LogStream):
        assert served.store.get(LogGroup, stream.group) is not None


def _check_secrets(served: Served) -> None:
    store = served.store
    parameters = {parameter.name: parameter for parameter in store.select(Parameter)}
    for version in store.select(ParameterVersion):
        of = parameters[version.parameter]
        assert of.oldest <= version.number <= of.latest
    for parameter in parameters.values():
        assert all(parameter.oldest <= number <= parameter.latest for number in parameter.labels.values())
    ids = {secret.id for secret in store.select(Secret)}
    assert all(version.secret in ids for version in store.select(SecretVersion))
    for secret in store.select(Secret):
        for version_id in secret.stages.values():
            assert store.get(SecretVersion, secret_version_key(secret.id, version_id)) is not None


def _check_identities(served: Served) -> None:
    store = served.store
    groups = {group.name.lower() for group in store.select(Group)}
    users = {user.name.lower() for user in store.select(User)}
    roles = {role.name.lower() for role in store.select(Role)}
    policies = {policy.name.lower() for policy in store.select(ManagedPolicy)}
    grantees: list[Grantee] = [*store.select(User), *store.select(Group), *store.select(Role)]
    for grantee in grantees:
        named = [arn for arn in (*grantee.attached, grantee.boundary) if arn and "::aws:" not in arn]
        assert {arn.rpartition("/")[2].lower() for arn in named} <= policies
    for user in store.select(User):
        assert {name.lower() for name in user.groups} <= groups
    assert {profile.role.lower() for profile in store.select(InstanceProfile) if profile.role} <= roles
    assert {key.user.lower() for key in store.select(AccessKey) if key.user} <= users
    for policy in store.select(ManagedPolicy):
        assert policy.default in {version.number for version in policy.versions}

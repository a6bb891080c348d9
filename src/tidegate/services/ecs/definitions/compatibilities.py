"""
What a task definition qualifies for, and the agent capabilities that it would need of a container instance.

Source: Developer Guide, requiresCompatibilities; both lists as seen in DescribeTaskDefinition's answers.
"""

from __future__ import annotations

from tidegate.api import ecs
from tidegate.services.ecs.definitions.containers import is_ecr_image
from tidegate.services.ecs.definitions.fargate import check_fargate
from tidegate.services.ecs.definitions.normalise import is_windows
from tidegate.services.ecs.definitions.sizes import check_ec2_size

_ORDER: tuple[ecs.Compatibility, ...] = ("EXTERNAL", "EC2", "MANAGED_INSTANCES", "FARGATE")
_AGENT = "com.amazonaws.ecs.capability"
_ECS = "ecs.capability"


def find_compatibilities(definition: ecs.TaskDefinition) -> tuple[ecs.Compatibility, ...]:
    """
    The launch types that a definition in normal form qualifies for.

    Raises ClientException when it does not qualify for one that it requires. Without `requiresCompatibilities`
    nothing is enforced as Fargate's.
    """
    required = definition.requires_compatibilities or ()
    if "FARGATE" in required:
        check_fargate(definition)
    else:
        check_ec2_size(definition.cpu)
    if required and "FARGATE" not in required and definition.ephemeral_storage is not None:
        raise ecs.ClientException("Tasks using the EC2 launch type do not support EphemeralStorage")
    if definition.network_mode != "awsvpc":
        found: set[ecs.Compatibility] = {"EC2"} if is_windows(definition.runtime_platform) else {"EXTERNAL", "EC2"}
    elif "EXTERNAL" in required:
        raise ecs.ClientException("Tasks using the EXTERNAL launch type do not support network mode ‘awsvpc’.")
    else:
        found = {"EC2", "MANAGED_INSTANCES", "FARGATE"} if _passes_fargate(definition) else {"EC2"}
    return tuple(each for each in _ORDER if each in found or each in required)


def find_attributes(definition: ecs.TaskDefinition) -> tuple[ecs.Attribute, ...]:
    """`requiresAttributes`, sorted by name."""
    names = _task_attributes(definition)
    for container in definition.container_definitions or ():
        names |= _container_attributes(container, definition.execution_role_arn)
    return tuple(ecs.Attribute(name=name) for name in sorted(names))


def _passes_fargate(definition: ecs.TaskDefinition) -> bool:
    try:
        check_fargate(definition)
    except ecs.ClientException:
        return False
    return True


def _task_attributes(definition: ecs.TaskDefinition) -> set[str]:
    on_fargate = "FARGATE" in (definition.compatibilities or ())
    is_awsvpc = definition.network_mode == "awsvpc"
    volumes = definition.volumes or ()
    efs = [each.efs_volume_configuration for each in volumes if each.efs_volume_configuration is not None]
    drivers = {each.docker_volume_configuration.driver for each in volumes if each.docker_volume_configuration}
    wanted = {
        f"{_ECS}.task-eni": is_awsvpc,
        f"{_AGENT}.docker-remote-api.1.18": is_awsvpc,
        f"{_AGENT}.task-iam-role": bool(definition.task_role_arn),
        f"{_ECS}.pid-ipc-namespace-sharing": bool(definition.pid_mode or definition.ipc_mode),
        f"{_ECS}.task-cpu-mem-limit": not on_fargate and bool(definition.cpu or definition.memory),
        f"{_ECS}.fault-injection": bool(definition.enable_fault_injection),
        f"{_ECS}.efs": bool(efs),
        f"{_ECS}.efsAuth": any(each.authorization_config is not None for each in efs),
        f"{_ECS}.storage.ebs-task-volume-attach": any(each.configured_at_launch for each in volumes),
        f"{_ECS}.storage.s3-files": any(each.s3files_volume_configuration is not None for each in volumes),
    }
    wanted.update({f"{_ECS}.docker-plugin.{driver}": True for driver in drivers if driver})
    return {name for name, is_needed in wanted.items() if is_needed}


def _container_attributes(container: ecs.ContainerDefinition, execution_role: str | None) -> set[str]:
    log, check, firelens = container.log_configuration, container.health_check, container.firelens_configuration
    is_ecr = is_ecr_image(container.image)
    secrets = [secret.value_from for secret in container.secrets or ()]
    from_manager = [value for value in secrets if ":secretsmanager:" in value]
    wanted = {
        f"{_AGENT}.ecr-auth": is_ecr,
        f"{_ECS}.execution-role-ecr-pull": is_ecr and bool(execution_role),
        f"{_AGENT}.privileged-container": bool(container.privileged),
        f"{_AGENT}.docker-remote-api.1.21": container.memory_reservation is not None,
        f"{_ECS}.container-ordering": bool(container.depends_on or container.start_timeout or container.stop_timeout),
        f"{_ECS}.container-health-check": check is not None,
        f"{_AGENT}.docker-remote-api.1.24": check is not None,
        f"{_AGENT}.docker-remote-api.1.29": check is not None and check.start_period is not None,
        f"{_ECS}.secrets.asm.environment-variables": bool(from_manager),
        f"{_ECS}.secrets.ssm.environment-variables": len(secrets) > len(from_manager),
        f"{_ECS}.env-files.s3": bool(container.environment_files),
        f"{_ECS}.private-registry-authentication.secretsmanager": container.repository_credentials is not None,
        f"{_ECS}.container-restart-policy": bool(container.restart_policy and container.restart_policy.enabled),
    }
    if log is not None:
        wanted[f"{_AGENT}.logging-driver.{log.log_driver}"] = True
        wanted[f"{_AGENT}.docker-remote-api.1.19"] = True
        wanted[f"{_ECS}.execution-role-awslogs"] = log.log_driver == "awslogs" and bool(execution_role)
        wanted[f"{_ECS}.secrets.asm.bootstrap.log-driver"] = bool(log.secret_options)
    if firelens is not None:
        wanted[f"{_ECS}.firelens.{firelens.type}"] = True
    return {name for name, is_needed in wanted.items() if is_needed}

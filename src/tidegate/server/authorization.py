"""The tables of what operations need, of all services: a request is held against that of its service."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.server import control_authorization
from tidegate.services.authorization import Table
from tidegate.services.ec2 import authorization as ec2
from tidegate.services.ecs import authorization as ecs
from tidegate.services.iam import operation_needs as iam
from tidegate.services.logs import authorization as logs
from tidegate.services.secretsmanager import authorization as secretsmanager
from tidegate.services.ssm import authorization as ssm
from tidegate.services.sts import authorization as sts

TABLES: Mapping[str, Table] = {
    "ecs": ecs.TABLE,
    "logs": logs.TABLE,
    "sts": sts.TABLE,
    "iam": iam.TABLE,
    "ec2": ec2.TABLE,
    "ssm": ssm.TABLE,
    "secretsmanager": secretsmanager.TABLE,
    "tidegate": control_authorization.TABLE,
}
"""By the service's signing name."""

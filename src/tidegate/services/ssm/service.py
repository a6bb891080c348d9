"""The Parameter Store of Systems Manager: every operation, put together from the modules that know one matter each."""

from __future__ import annotations

from tidegate.services.ssm.labels import ParameterLabels
from tidegate.services.ssm.parameters import Parameters
from tidegate.services.ssm.put import PutParameter
from tidegate.services.ssm.read import ReadParameters
from tidegate.services.ssm.tags import ParameterTags
from tidegate.services.ssm.values import ParameterValues
from tidegate.services.writes import Clock
from tidegate.store.secrets import Sealer
from tidegate.store.store import Store


class Ssm:
    """
    Satisfies the generated `api.ssm.Api`: each operation is the bound method of the matter it is about.

    now: seconds since the epoch.
    """

    def __init__(self, store: Store, sealer: Sealer, now: Clock) -> None:
        values = ParameterValues(store, sealer)
        self.put_parameter = PutParameter(store, sealer, now).put_parameter

        reader = ReadParameters(store, values)
        self.get_parameter = reader.get_parameter
        self.get_parameters = reader.get_parameters
        self.get_parameters_by_path = reader.get_parameters_by_path
        self.get_parameter_history = reader.get_parameter_history

        parameters = Parameters(store)
        self.describe_parameters = parameters.describe_parameters
        self.delete_parameter = parameters.delete_parameter
        self.delete_parameters = parameters.delete_parameters

        labels = ParameterLabels(store, values)
        self.label_parameter_version = labels.label_parameter_version
        self.unlabel_parameter_version = labels.unlabel_parameter_version

        tags = ParameterTags(store)
        self.add_tags_to_resource = tags.add_tags_to_resource
        self.remove_tags_from_resource = tags.remove_tags_from_resource
        self.list_tags_for_resource = tags.list_tags_for_resource

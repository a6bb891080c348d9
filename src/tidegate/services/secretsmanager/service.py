"""AWS Secrets Manager: every operation, put together from the modules that know one matter each."""

from __future__ import annotations

from tidegate.services.secretsmanager.deletion import SecretDeletion
from tidegate.services.secretsmanager.listing import SecretListing
from tidegate.services.secretsmanager.password import RandomPassword
from tidegate.services.secretsmanager.policy import SecretPolicies
from tidegate.services.secretsmanager.read import ReadSecrets
from tidegate.services.secretsmanager.staging import SecretStaging
from tidegate.services.secretsmanager.tags import SecretTags
from tidegate.services.secretsmanager.values import SecretValues
from tidegate.services.secretsmanager.versions import SecretVersions
from tidegate.services.writes import Clock
from tidegate.store.secrets import Sealer
from tidegate.store.store import Store


class SecretsManager:
    """
    Satisfies the generated `api.secretsmanager.Api`: each operation is the bound method of the matter it is about.

    now: seconds since the epoch.
    """

    def __init__(self, store: Store, sealer: Sealer, now: Clock) -> None:
        values = SecretValues(store, sealer, now)
        versions = SecretVersions(store, values, now)
        self.create_secret = versions.create_secret
        self.put_secret_value = versions.put_secret_value
        self.update_secret = versions.update_secret

        reader = ReadSecrets(store, values, now)
        self.get_secret_value = reader.get_secret_value
        self.batch_get_secret_value = reader.batch_get_secret_value

        listing = SecretListing(store, now)
        self.describe_secret = listing.describe_secret
        self.list_secrets = listing.list_secrets
        self.list_secret_version_ids = listing.list_secret_version_ids

        deletion = SecretDeletion(store, now)
        self.delete_secret = deletion.delete_secret
        self.restore_secret = deletion.restore_secret
        self.update_secret_version_stage = SecretStaging(store, values, now).update_secret_version_stage

        tags = SecretTags(store, now)
        self.tag_resource = tags.tag_resource
        self.untag_resource = tags.untag_resource

        policies = SecretPolicies(store, now)
        self.get_resource_policy = policies.get_resource_policy
        self.put_resource_policy = policies.put_resource_policy
        self.delete_resource_policy = policies.delete_resource_policy
        self.get_random_password = RandomPassword().get_random_password

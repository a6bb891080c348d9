"""AWS Systems Manager: the Parameter Store."""

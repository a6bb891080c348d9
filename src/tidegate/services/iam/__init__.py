"""AWS IAM: who there is, and what they may do."""

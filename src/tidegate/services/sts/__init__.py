"""AWS STS: who asks."""

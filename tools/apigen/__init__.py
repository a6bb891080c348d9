"""Makes typed modules from AWS service models."""

"""What the operations of ECS mean, by resource."""

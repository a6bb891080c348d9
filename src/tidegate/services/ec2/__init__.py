"""Amazon EC2: the network that tasks live in."""

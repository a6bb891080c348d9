"""The engine of this machine: hands tasks to the node's agent."""

"""An engine of virtual nodes on virtual time."""

"""The one seam between deciding and running. `engine` is the contract; the other modules implement it."""

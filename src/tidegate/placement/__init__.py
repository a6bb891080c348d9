"""Which node a task goes to, and why not to the others: filter, rank, explain."""

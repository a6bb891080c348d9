"""Control groups: the limits of tasks, what they use, and a sure way to end all that runs in one."""

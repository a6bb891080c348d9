"""What the node asks for while it launches a task, in the name of the task's execution role."""

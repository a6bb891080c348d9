"""System calls that Python does not wrap. Knows nothing of tasks."""

"""The OCI configuration of a container: planned as data from task, image and host; written by the runtime."""

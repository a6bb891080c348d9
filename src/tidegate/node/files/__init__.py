"""
Trees of files as tar streams, there and back, by descriptors alone: nothing outside of the given directory is touched.

Used by the node on a container's root file system, whose names are hostile and change meanwhile, and by the command
line on the user's own directories. All of it blocks: call it in a thread.
"""

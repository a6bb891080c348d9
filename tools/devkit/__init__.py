"""What `./dev` does. Runs before anything is installed, so it imports the standard library alone."""

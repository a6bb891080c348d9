"""What a task finds at 169.254.170.2: its metadata, its statistics, its role's credentials, its protection."""

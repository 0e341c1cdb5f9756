"""What a person asks for, from beginning to end: an import, or a check of its inputs."""

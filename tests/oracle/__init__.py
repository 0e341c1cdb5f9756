"""An oracle for the command: it knows the numbered promises and nothing of how they are kept."""

"""Speed and memory, measured side by side with what else could do the job. See README.md."""

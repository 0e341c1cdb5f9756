"""What a person reads after a run: the summary, the left-over files, the outcomes as a table."""

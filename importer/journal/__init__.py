"""What lasts: the outcomes of a job's rows, kept so that a run can be killed at any moment."""

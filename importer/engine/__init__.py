"""One run of a job while it lasts: rows are read, sent, answered and recorded."""

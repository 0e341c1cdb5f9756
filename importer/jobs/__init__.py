"""What lasts of a job: its folder, its journal, and the ledger that it shares with other jobs."""

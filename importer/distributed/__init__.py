"""One job on many processes: a coordinator reads, hands out and records; workers send.

The coordinator is the command itself. It holds the job with its one journal, so all that lasts is
the same as with one process. A worker runs the same engine over the rows that it is handed, and
keeps nothing: what it finds out goes back over the wire. Only `dask_crew` knows how the processes
are started and reached.
"""

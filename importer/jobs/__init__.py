"""What lasts of jobs: their folders and journals, and the ledger, an index of the journals.

The rules are in docs/design/across-jobs.md. Where to look:

- `product`, `job`: the door. A run holds the product, resumes or begins a job, and works on it.
- `product_jobs`: all jobs of a product; `census` decides which there are and where each stands,
  `journal_head` is what it reads of each, `carry_over` what a new job takes over from others.
- `journal`: the record of one job, as the run at work writes it; `journal_file` reads it,
  `journal_create` makes it, `journal_lines` knows its lines, `journal_reader` tells of it
  afterwards, and `doubts` says which rows are open or in doubt.
- `succession`: how one job follows another: resumed, replaced, refused; `ends`: what comes of those
  that another has ended.
- `ledger`, `take_in`: the index, and how a journal gets into it; `ledger_lines` are its lines.
- `forget`: takes conversations out of journals and ledger.
- `overtaken`, `placing`: which rows of left-over files give way to others of their job;
  `read_again`: what others have read of these files.
- `undo`: what it takes to take a job back; `undo_search` finds it out, `undo_void` what does not
  count, in the rows of `undo_rows`, and `undo_bodies` what is sent; `bodies` keeps it.
- `copies`: where those of inputs are that are no local files; `inputs`: whether these are the same.
- `worker_mark`: other processes send for a run; `rate_budget`: what the runs of a group share.
- `entry`: what a run hands to its journal at once; `records`: all else that goes in and out.
- `folders`, `find_job`, `identity`, `lock`, `listing`, `commands`, `keys`: as they say.
- `sqlite_file`: the only module that imports sqlite3.
"""

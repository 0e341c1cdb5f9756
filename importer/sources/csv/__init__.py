"""Rows from CSV of any common dialect: by an exact reader, and of large files by a quick one too.

Where to look:

- `file`: the source, which puts the others to work.
- `sample`: what the beginning of a file tells of all of it, such as the delimiter; `shape`: what
  its header says of its rows.
- `records`: the exact reader, which alone says what a record is.
- `parts`: the quick way through large files, beside the exact one; `blocks` cuts them, `plain` says
  which blocks go by column, and `hidden_rows` what a stray quote would swallow there.
"""

"""Copies of inputs that are no local files.

`carriers` takes a copy, by the module for the kind of its address: `frame`, `http`, `object_store`,
`sql` or `stdin`. These write into a `partial_copy`, rows by `rows_file`; `persistence` tries again
where a connection breaks, and `object_errors` says what a store refuses.
"""

"""Rows from Parquet.

`file` is the source. `schema` finds its columns, `cells` makes text of one cell, and `columns` of
all cells of a column at once, where that can be had.
"""

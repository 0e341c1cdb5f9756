"""Rows that are held by column, of whatever format: most of them are never made into rows.

`part` is a block of them, `sifting` tells which can surely be sent as they are, `noticing` looks
for what is odd, and `text_columns` makes columns. All of it loads numpy, which small files do
without.
"""

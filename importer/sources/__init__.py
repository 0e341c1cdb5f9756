"""Where rows come from. `registry` opens an input; each kind of input is a `base.RowSource`.

Where to look:

- `csv/`, `parquet/`, `json_file`, `workbook`: one each for the kinds of files. The last two yield
  records one by one, and `record_source` does the rest. `carried_rows` is the source of what a job
  has taken over from others.
- `copies/`: copies of what is no local file, which are then read like one.
- `by_column/`: rows of large files, of whatever kind.
- `location`, `folder`: how files are opened and known, and which ones a folder stands for.
- `columns`, `own_columns`, `header_line`: what the header tells, and where it is.
- `cell_text`, `kept_bytes`, `row_maker`: from cells to text, and from records to rows.
- `noticed`: what is odd in a file and rejects no row; `preview`: its beginning, for drafts.
"""

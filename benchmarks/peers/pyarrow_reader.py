"""pyarrow reading a CSV file batch by batch, and doing nothing with it."""

from __future__ import annotations

import sys

import pyarrow as pa
import pyarrow.csv as pc

if __name__ == "__main__":
    with pc.open_csv(
        sys.argv[1],
        read_options=pc.ReadOptions(block_size=1 << 20),
        parse_options=pc.ParseOptions(newlines_in_values=True),
        convert_options=pc.ConvertOptions(
            column_types=dict.fromkeys(["conversation_id", "rating", "comment"], pa.string())
        ),
    ) as reader:
        rows = sum(batch.num_rows for batch in reader)
    sys.stdout.write(f"{rows}\n")

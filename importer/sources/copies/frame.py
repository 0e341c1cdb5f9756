"""Copies a data frame, or any other table that Arrow's stream interface gives, as Parquet."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from importer.errors import InputError
from importer.settings import ImportSettings
from importer.settings.places import FrameAddress, SourceAddress
from importer.sources.copies.partial_copy import ROWS_ENDING, CopyOrigin, PartialCopy

_GROUP_ROWS = 50_000


def copy(address: SourceAddress, part: PartialCopy, settings: ImportSettings) -> str:
    """Copy a table that the program holds; see `carriers`."""
    del settings  # nothing of them concerns a table
    if not isinstance(address, FrameAddress):
        raise InputError(
            f"a {address.label} is there only within the program that holds it: import it from "
            "there, with ImportSettings.of(inputs=[frame], …)"
        )
    part.begin(CopyOrigin(part.name))
    part.rows = 0
    try:
        with (
            pa.RecordBatchReader.from_stream(address.table) as reader,
            pq.ParquetWriter(part.path, reader.schema, compression="zstd") as writer,
        ):
            for batch in reader:
                part.watch.check()
                table = pa.Table.from_batches([batch])
                writer.write_table(table, row_group_size=_GROUP_ROWS)
                part.rows += batch.num_rows
    except (pa.ArrowException, TypeError, ValueError) as error:
        line = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"the {part.name} cannot be copied: {line}") from None
    return f"frame{ROWS_ENDING}"

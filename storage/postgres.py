"""The only place that imports PostgreSQL's driver, which is an extra."""

from collections.abc import Mapping
from typing import Any

from psycopg import Connection, Cursor
from psycopg.pq import Format
from psycopg.rows import RowFactory


class BinaryCursor(Cursor[Any]):
    """Reads results in binary: as text, a picture's bytes would come twice as long."""

    def __init__(
        self, connection: Connection[Any], *, row_factory: RowFactory[Any] | None = None
    ) -> None:
        if row_factory is None:
            super().__init__(connection)
        else:
            super().__init__(connection, row_factory=row_factory)
        self.format = Format.BINARY


# Whether results come in binary → the cursor that does it.
CURSORS: Mapping[bool, type[Cursor[Any]]] = {True: BinaryCursor, False: Cursor}

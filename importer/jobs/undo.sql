-- The conversations that a job has set, while it is decided how that is taken back.

-- rank is that of the job's row; in_doubt: it may not have been stored. later: another job has come
-- after it. body is what the service held before, as far as that is known (feedback/body.py), and before
-- the rank of the row that says so, -1 without one. known: rating and comment hold that body.
CREATE TABLE target (
    key      BLOB PRIMARY KEY,
    rank     INTEGER NOT NULL,
    in_doubt INTEGER NOT NULL,
    later    INTEGER NOT NULL DEFAULT 0,
    before   INTEGER NOT NULL DEFAULT -1,
    body     INTEGER,
    known    INTEGER NOT NULL DEFAULT 0,
    rating   TEXT,
    comment  TEXT
) WITHOUT ROWID;

-- The runs of the job (own), and of those before it.
CREATE TABLE run (
    number INTEGER PRIMARY KEY,
    own    INTEGER NOT NULL
);

-- The earlier undos of the same job.
CREATE TABLE own_undo (number INTEGER PRIMARY KEY);

-- The conversations that a job has set, while it is decided how that is taken back.

-- rank is that of the job's row; in_doubt: it may not have been stored. later: the number of the
-- latest job that has come after it, -1 if that is gone or an undo has taken the row back. above: the
-- highest rank of the rows after it that count for nothing. body is what the service held before, as
-- far as that is known (feedback/body.py), and before the rank of the row that says so, -1 without
-- one. known: rating and comment hold that body. stored: the body that the service held, also if the
-- job that stored it was taken back since. waits: rating and comment are those of an earlier row that
-- the job had taken over and outranked, which is sent after all.
CREATE TABLE target (
    key      BLOB PRIMARY KEY,
    rank     INTEGER NOT NULL,
    in_doubt INTEGER NOT NULL,
    later    INTEGER NOT NULL DEFAULT 0,
    above    INTEGER NOT NULL DEFAULT 0,
    before   INTEGER NOT NULL DEFAULT -1,
    body     INTEGER,
    known    INTEGER NOT NULL DEFAULT 0,
    rating   TEXT,
    comment  TEXT,
    stored   INTEGER,
    waits    INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- The runs of all jobs that are there; own: of the job itself.
CREATE TABLE run (
    number INTEGER PRIMARY KEY,
    own    INTEGER NOT NULL
);

-- The jobs that are there, with the number of the job that it takes back, for an undo. withdrawn: it was
-- taken back, so what it has not set counts for nothing.
CREATE TABLE job (
    number    INTEGER PRIMARY KEY,
    undoes    INTEGER,
    withdrawn INTEGER NOT NULL
);

-- The jobs that an undo has taken back as a whole since.
CREATE TABLE taken_back (number INTEGER PRIMARY KEY);

-- The rows of later jobs that count for nothing: each was taken back, or has taken another back.
-- number is that of the job that has brought it.
CREATE TABLE void (
    key    BLOB NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (key, number)
) WITHOUT ROWID;

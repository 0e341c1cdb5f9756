-- What the jobs of a product have done to its conversations: an index of their journals, made anew
-- from them when it is lost (docs/design/across-jobs.md, R9).

-- floor: nothing at or below that job is sure. quiet_run: no request of that run or an earlier one
-- takes effect any more. ended: N is when the job of run N ended last, in Unix seconds; given up: N
-- says that what job N has left over is not tried again.
CREATE TABLE state (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO state (name, value) VALUES ('floor', 0), ('quiet_run', 0);

-- The jobs by number. entries: how many transactions of the journal are taken in. complete: all of
-- it is, and the job is at no work. last_run is the number of its latest run.
CREATE TABLE job (
    number   INTEGER PRIMARY KEY,
    id       TEXT UNIQUE,
    folder   TEXT,
    state    TEXT NOT NULL,
    entries  INTEGER NOT NULL DEFAULT 0,
    complete INTEGER NOT NULL DEFAULT 0,
    last_run INTEGER NOT NULL DEFAULT 0
);

-- The settled row of each conversation that ranks highest; of two of one rank that of the later run.
-- key is the conversation's id, reversed. body is what the service holds after it, NULL if that is not
-- known; at when it was stored, in Unix seconds, NULL if not known.
CREATE TABLE conversation (
    key  BLOB PRIMARY KEY,
    rank INTEGER NOT NULL,
    run  INTEGER NOT NULL,
    body INTEGER,
    at   REAL
) WITHOUT ROWID;

-- What those rows would send that are left over. ask_status: the conversation was not completed.
CREATE TABLE left_over (
    key        BLOB PRIMARY KEY,
    rank       INTEGER NOT NULL,
    run        INTEGER NOT NULL,
    rating     TEXT,
    comment    TEXT,
    ask_status INTEGER NOT NULL
) WITHOUT ROWID;

-- The rows that are open until their run is quiet; in doubt until a row of at least their rank is set.
CREATE TABLE doubt (
    key      BLOB NOT NULL,
    job      INTEGER NOT NULL,
    rank     INTEGER NOT NULL,
    run      INTEGER NOT NULL,
    in_doubt INTEGER NOT NULL,
    PRIMARY KEY (key, job, rank, run)
) WITHOUT ROWID;

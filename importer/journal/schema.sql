-- The journal of one job. It is the only lasting state: the summary and the CSV files are made
-- from it, and a resumed run begins with what it says.

CREATE TABLE job (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- The files of the job, in order. first_seq is known once the files before it have been read.
CREATE TABLE input (
    position  INTEGER PRIMARY KEY,
    path      TEXT NOT NULL,
    size      INTEGER NOT NULL,
    digest    TEXT NOT NULL,
    first_seq INTEGER
);

-- One line for each start of the command on this job. Times are Unix seconds. No request of the run
-- takes effect after quiet_at; it is kept up to date while the run lasts.
CREATE TABLE run (
    number     INTEGER PRIMARY KEY,
    started_at REAL NOT NULL,
    ended_at   REAL,
    ended      TEXT,
    message    TEXT NOT NULL DEFAULT '',
    quiet_at   REAL NOT NULL
);

CREATE TABLE outcome_kind (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL
);

-- One line for each settled row. The primary key sees to it that there is never a second one.
CREATE TABLE outcome (
    seq          INTEGER PRIMARY KEY,
    kind         INTEGER NOT NULL,
    conversation BLOB,
    attempts     INTEGER NOT NULL,
    http_status  INTEGER,
    updated_at   TEXT,
    reason       TEXT,
    detail       TEXT,
    warning      TEXT
);

-- The rows that were told to wait for their conversation, where each stood last. A row that has
-- an outcome is no longer deferred, whatever stands here. Times are Unix seconds.
CREATE TABLE deferral (
    seq      INTEGER PRIMARY KEY,
    attempts INTEGER NOT NULL,
    since    REAL NOT NULL,
    due      REAL NOT NULL
);

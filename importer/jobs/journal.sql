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
    quiet_at   REAL NOT NULL,
    settings   TEXT NOT NULL  -- what decided the run, as JSON, without secrets
);

CREATE TABLE outcome_kind (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL
);

-- One line for each row that has an outcome. The primary key sees to it that there is never a second one.
-- settled_at is when the journal took it, in Unix seconds.
CREATE TABLE outcome (
    seq          INTEGER PRIMARY KEY,
    kind         INTEGER NOT NULL,
    conversation BLOB,
    attempts     INTEGER NOT NULL,
    http_status  INTEGER,
    updated_at   TEXT,
    reason       TEXT,
    detail       TEXT,
    warning      TEXT,
    settled_at   REAL NOT NULL
);

-- The rows that were told to wait for their conversation, where each stood last. A row that has
-- an outcome is no longer deferred, whatever stands here. Times are Unix seconds. looks counts the
-- status checks since, the last one at looked_at.
CREATE TABLE deferral (
    seq       INTEGER PRIMARY KEY,
    attempts  INTEGER NOT NULL,
    since     REAL NOT NULL,
    due       REAL NOT NULL,
    looks     INTEGER NOT NULL,
    looked_at REAL NOT NULL
);

-- The requests that did not end with stored feedback, for the story of a row; of the status
-- checks of a conversation that stays in progress, only the first is here. at is when the response
-- came, in Unix seconds; wait (seconds) is how long the row then waited, NULL if it was done.
CREATE TABLE attempt (
    seq         INTEGER NOT NULL,
    at          REAL NOT NULL,
    call        TEXT NOT NULL,
    http_status INTEGER,
    detail      TEXT NOT NULL,
    wait        REAL
);
CREATE INDEX attempt_of_row ON attempt (seq);

-- How the job went at one moment, for the charts: figures of the interval of that many seconds that
-- ended at at (Unix seconds). Latencies are in seconds; statuses is a JSON object of counts by HTTP
-- status, "0" being no response.
CREATE TABLE moment (
    at          REAL PRIMARY KEY,
    interval    REAL NOT NULL,
    settled     INTEGER NOT NULL,
    in_flight   INTEGER NOT NULL,
    concurrency INTEGER NOT NULL,
    deferred    INTEGER NOT NULL,
    p50         REAL,
    p95         REAL,
    limited_by  TEXT NOT NULL,
    statuses    TEXT NOT NULL
);

-- The journal of one job. It is the only lasting state: the summary and the CSV files are made
-- from it, and a resumed run begins with what it says. docs/design/across-jobs.md has the rules.

CREATE TABLE job (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- The files of the job, in order, as the survey found them. modified is in nanoseconds; blocks holds
-- 16 bytes for each block of the file, in order.
CREATE TABLE input (
    position  INTEGER PRIMARY KEY,
    path      TEXT NOT NULL,
    size      INTEGER NOT NULL,
    modified  INTEGER NOT NULL,
    digest    TEXT NOT NULL,
    rows      INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    blocks    BLOB NOT NULL
);

-- The jobs that end because this one began: they are replaced or given up.
CREATE TABLE ends (
    id    TEXT PRIMARY KEY,
    state TEXT NOT NULL
) WITHOUT ROWID;

-- What the comparison with earlier jobs decided when the job began: packed sets of rows (RowSet).
CREATE TABLE not_sent (
    reason TEXT PRIMARY KEY,
    rows   BLOB NOT NULL
);

-- The rows whose rank is not that of the job. A rank is one number: first * 2^32 + version.
CREATE TABLE ranked (
    seq  INTEGER PRIMARY KEY,
    rank INTEGER NOT NULL
);

-- The rows of left-over files, sent or not, that say where they stood: the number of the job that first
-- brought the row, and the row's number there. Both are 0 for one that says that it gives way.
CREATE TABLE placed (
    seq   INTEGER PRIMARY KEY,
    job   INTEGER NOT NULL,
    place INTEGER NOT NULL
);
CREATE INDEX place ON placed (job, place);

-- The rows that were carried over from earlier jobs; they come before those of the inputs.
-- conversation is always the 16 bytes of its id, reversed, so that keys spread over all parts.
CREATE TABLE carried (
    seq          INTEGER PRIMARY KEY,
    conversation BLOB NOT NULL,
    rating       TEXT,
    comment      TEXT,
    ask_status   INTEGER NOT NULL
);

-- What rows would send: left-overs and, while a job with --carry-over is not finished, all its rows.
CREATE TABLE kept (
    seq          INTEGER PRIMARY KEY,
    conversation BLOB NOT NULL,
    rating       TEXT,
    comment      TEXT
);

-- One line for each start of the command on this job, numbered through the product. Times are Unix
-- seconds. lasted: it lasted for --late-effect. Its transactions of outcomes have the numbers from
-- first_entry to entries.
CREATE TABLE run (
    number      INTEGER PRIMARY KEY,
    started_at  REAL NOT NULL,
    ended_at    REAL,
    ended       TEXT,
    message     TEXT NOT NULL DEFAULT '',
    lasted      INTEGER NOT NULL DEFAULT 0,
    first_entry INTEGER NOT NULL,
    entries     INTEGER NOT NULL,
    settings    TEXT NOT NULL  -- what decided the run, as JSON, without secrets
);

CREATE TABLE outcome_kind (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL
);

-- One line for each row that has an outcome. The primary key sees to it that there is never a second one.
-- settled_at is when the journal took it, in Unix seconds, and entry in which transaction. body is
-- what the service holds after it, NULL if that is not known (feedback/body.py; with a sign). open:
-- some request of the row had no definite answer.
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
    body         INTEGER,
    open         INTEGER NOT NULL DEFAULT 0,
    settled_at   REAL NOT NULL,
    entry        INTEGER NOT NULL
);
CREATE INDEX open_outcome ON outcome (seq) WHERE open;

-- The rows that are tried again: their outcome stands until they have a new one.
CREATE TABLE again (seq INTEGER PRIMARY KEY);

-- The rows of which all but the count is forgotten: they are never tried again.
CREATE TABLE forgotten (seq INTEGER PRIMARY KEY);

-- The rows that may be sent now, in two windows that are overwritten in turn: seqs has 8 bytes for each
-- row (little-endian), conversations 16. One without an outcome of a later entry is in doubt.
CREATE TABLE doubt_window (
    slot          INTEGER PRIMARY KEY,
    run           INTEGER NOT NULL,
    entry         INTEGER NOT NULL,
    seqs          BLOB NOT NULL,
    conversations BLOB NOT NULL
);

-- The other rows that were sent, or may have been, in a run, and got no outcome in it. They are open
-- until that run is quiet, and in doubt until they are set.
CREATE TABLE doubt (
    seq          INTEGER NOT NULL,
    run          INTEGER NOT NULL,
    conversation BLOB NOT NULL,
    in_doubt     INTEGER NOT NULL,
    PRIMARY KEY (seq, run)
) WITHOUT ROWID;

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

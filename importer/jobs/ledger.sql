-- What the jobs of one product have done to its conversations, over all of them. digest is that of
-- the body that was last applied; NULL while that is not known, such as when a request is under way
-- or had no response. at is in Unix seconds.
CREATE TABLE sent (
    conversation BLOB PRIMARY KEY,
    digest       BLOB,
    job          INTEGER NOT NULL,
    at           REAL NOT NULL
) WITHOUT ROWID;

-- The jobs in the order in which they began: a later one's feedback stands above an earlier one's.
CREATE TABLE job (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    folder TEXT NOT NULL UNIQUE
);

-- The newest feedback of conversations for which it did not succeed, and might if tried again.
CREATE TABLE left_over (
    conversation BLOB PRIMARY KEY,
    rating       TEXT,
    comment      TEXT,
    job          INTEGER NOT NULL
) WITHOUT ROWID;

-- One line: no request made so far takes effect after quiet_at (Unix seconds).
CREATE TABLE state (quiet_at REAL NOT NULL);
INSERT INTO state VALUES (0);

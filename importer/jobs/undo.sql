-- The conversations that a job has set, while it is decided how that is taken back.

-- rank is that of the job's row; in_doubt: it may not have been stored. later: the number of the
-- latest job that has come after it, -1 if that is gone, and of an undo of the job that has set it with
-- a minus. above: the highest rank of the rows after it that count for nothing. body is what the service
-- held before, as far as that is known (feedback/body.py), and before the rank of the row that says so,
-- -1 without one. set_by: the earlier job that came last to it, also where it is not known whether it
-- has set it, or whether it was the last one; 0 without one. known: rating and comment hold that body. stored: the body that the service held, also
-- if the job that stored it was taken back since. waits: rating and comment are those of a row that is
-- sent after all, as the job had taken its place, and this is the earlier job that has brought it. not_set:
-- the job has settled its row without setting anything; that is taken back only where what the service
-- holds is of a job that was taken back (is_void), which had to leave it because of this one.
CREATE TABLE target (
    key      BLOB PRIMARY KEY,
    rank     INTEGER NOT NULL,
    in_doubt INTEGER NOT NULL,
    later    INTEGER NOT NULL DEFAULT 0,
    above    INTEGER NOT NULL DEFAULT 0,
    before   INTEGER NOT NULL DEFAULT -1,
    body     INTEGER,
    set_by   INTEGER NOT NULL DEFAULT 0,
    known    INTEGER NOT NULL DEFAULT 0,
    rating   TEXT,
    comment  TEXT,
    stored   INTEGER,
    waits    INTEGER NOT NULL DEFAULT 0,
    not_set  INTEGER NOT NULL DEFAULT 0,
    is_void  INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- The rows of earlier jobs that would have been sent without the job, with who brought them: it had taken
-- them over, and was to send its own in their place; or had not, and they are left over since that run.
CREATE TABLE displaced (
    key     BLOB PRIMARY KEY,
    rank    INTEGER NOT NULL,
    run     INTEGER NOT NULL,
    job     INTEGER NOT NULL,
    rating  TEXT,
    comment TEXT
) WITHOUT ROWID;

-- The runs of all jobs that are there; own: of the job itself.
CREATE TABLE run (
    number INTEGER PRIMARY KEY,
    own    INTEGER NOT NULL
);

-- The jobs that are there, with the number of the job that it takes back, for an undo.
CREATE TABLE job (
    number INTEGER PRIMARY KEY,
    undoes INTEGER
);

-- The rows of undos that were sent in place of those of earlier jobs, which the job that was taken back had
-- displaced: they are these jobs' rows.
CREATE TABLE sent_for (
    undo INTEGER NOT NULL,
    key  BLOB NOT NULL,
    job  INTEGER NOT NULL,
    PRIMARY KEY (undo, key)
) WITHOUT ROWID;

-- The jobs that count for nothing: they were taken back, or have taken such a job back.
CREATE TABLE void (number INTEGER PRIMARY KEY);

-- The undos of the job that were not taken back themselves.
CREATE TABLE own_undo (number INTEGER PRIMARY KEY);

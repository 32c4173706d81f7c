-- +goose Up

-- The right to write. Commits of an older incarnation are refused.
CREATE TABLE lease (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  format      INTEGER NOT NULL,
  incarnation INTEGER NOT NULL CHECK (incarnation >= 0),
  holder      TEXT NOT NULL,
  settled     INTEGER NOT NULL, -- counts commits that failed with an unknown outcome
  key_check   BLOB NOT NULL, -- a known text, sealed with the key-encryption key
  -- When a backup was put back last, the last batch that it had, and what the
  -- incarnation was raised to.
  restored_at          INTEGER,
  restored_batch       INTEGER,
  restored_incarnation INTEGER,
  CHECK ((restored_at IS NULL) = (restored_batch IS NULL) AND (restored_at IS NULL) = (restored_incarnation IS NULL))
) STRICT;

-- One row a batch, the audit leaf of which covers the hashes of its records
-- and items. tree comes before the long columns: it is read alone.
CREATE TABLE batches (
  sequence    INTEGER PRIMARY KEY CHECK (sequence > 0),
  incarnation INTEGER NOT NULL,
  at          INTEGER NOT NULL, -- microseconds since 1970, as all times
  tree        BLOB NOT NULL,    -- hashes of the log's tree that this leaf completes
  records     BLOB NOT NULL,    -- hash of each record
  items       BLOB NOT NULL,    -- hash of each of the other things
  objects     INTEGER NOT NULL, -- how many of the items are objects
  entries     INTEGER NOT NULL  -- and how many are entries
) STRICT;

-- The key of each run, wrapped. Erasing a run takes it away; pruning it leaves
-- nothing but this row.
CREATE TABLE run_keys (
  run     TEXT PRIMARY KEY,
  wrapped BLOB,
  erased  INTEGER, -- the batch that erased it
  pruned  INTEGER, -- the batch that pruned it
  batches BLOB,    -- and which had its records: differences as varints
  CHECK ((wrapped IS NULL) = (erased IS NOT NULL)),
  CHECK ((pruned IS NULL) = (batches IS NULL) AND (pruned IS NULL OR erased < pruned))
) STRICT, WITHOUT ROWID;

-- Records, clustered by run; no second index.
CREATE TABLE events (
  run        TEXT NOT NULL,
  first      INTEGER NOT NULL,
  count      INTEGER NOT NULL,
  batch      INTEGER NOT NULL,
  position   INTEGER NOT NULL, -- place in the batch, from 0
  commitment BLOB NOT NULL,    -- to the payload
  control    BLOB NOT NULL,
  payload    BLOB,             -- sealed; NULL once erased
  PRIMARY KEY (run, first)
) STRICT, WITHOUT ROWID;

-- What lists need. batch is the one that wrote the row, here and below.
CREATE TABLE runs (
  id            TEXT PRIMARY KEY,
  namespace     TEXT NOT NULL,
  workflow      TEXT NOT NULL,
  program       BLOB NOT NULL,
  state         TEXT NOT NULL,
  reason        TEXT NOT NULL,
  business_date TEXT NOT NULL,
  accepted_at   INTEGER,
  started_at    INTEGER,
  ended_at      INTEGER,
  actor         TEXT NOT NULL,
  trigger       TEXT NOT NULL,
  held          INTEGER NOT NULL CHECK (held = 0 OR held = 1),
  attempts      INTEGER NOT NULL,
  due           INTEGER,
  batch         INTEGER NOT NULL,
  -- Comparisons joined by OR: for IN, SQLite builds a table each time.
  CHECK (
    (ended_at IS NULL AND (state = 'running' OR state = 'waiting' OR state = 'queued' OR state = 'pending')) OR
    (ended_at IS NOT NULL AND (state = 'succeeded' OR state = 'failed' OR state = 'canceled' OR state = 'skipped'))
  )
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_live ON runs (id) WHERE ended_at IS NULL;
-- Few runs end otherwise: this one costs those that succeed nothing.
CREATE INDEX runs_unsuccessful ON runs (id) WHERE ended_at IS NOT NULL AND state <> 'succeeded';
CREATE INDEX runs_workflow ON runs (namespace, workflow, id);
-- Runs by their last change. Those that are live are few: they are sorted when
-- asked for, rather than moved in an index at each change.
CREATE INDEX runs_ended ON runs (batch, id) WHERE ended_at IS NOT NULL;

CREATE TABLE keys (
  namespace TEXT NOT NULL,
  key       TEXT NOT NULL,
  run       TEXT NOT NULL,
  body_hash BLOB NOT NULL,
  expires   INTEGER, -- NULL: never
  salt      BLOB NOT NULL,
  batch     INTEGER NOT NULL,
  PRIMARY KEY (namespace, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_expires ON keys (expires) WHERE expires IS NOT NULL;

CREATE TABLE timers (
  run   TEXT NOT NULL,
  id    INTEGER NOT NULL,
  at    INTEGER NOT NULL,
  batch INTEGER NOT NULL,
  PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX timers_at ON timers (at, run, id);

CREATE TABLE programs (
  hash  BLOB PRIMARY KEY,
  data  BLOB NOT NULL,
  batch INTEGER NOT NULL
) STRICT;

-- What is durable and no run, by its last revision.
CREATE TABLE objects (
  kind      TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name      TEXT NOT NULL,
  revision  INTEGER NOT NULL CHECK (revision > 0),
  data      TEXT, -- NULL: deleted
  salt      BLOB NOT NULL,
  batch     INTEGER NOT NULL,
  PRIMARY KEY (kind, namespace, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX objects_live ON objects (kind, namespace, name) WHERE data IS NOT NULL;

-- Who did what. All but the place is NULL once the text was taken out.
CREATE TABLE entries (
  batch     INTEGER NOT NULL,
  position  INTEGER NOT NULL, -- place among the entries of the batch, from 0
  actor     TEXT,
  via       TEXT,
  action    TEXT,
  namespace TEXT,
  object    TEXT,
  outcome   TEXT,
  reason    TEXT,
  request   TEXT,
  detail    TEXT,
  salt      BLOB,
  forgotten INTEGER, -- the batch that took it out
  PRIMARY KEY (batch, position),
  CHECK ((actor IS NULL) = (forgotten IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX entries_object ON entries (object) WHERE object IS NOT NULL;

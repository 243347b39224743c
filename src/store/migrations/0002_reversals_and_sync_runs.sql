-- Reversals that are still to be sent, oldest first, and the runs that sync reports are made from.
CREATE TABLE reversals (
  payment_id TEXT PRIMARY KEY,
  reason INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  not_before INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX reversals_by_age ON reversals (created_at);

CREATE TABLE sync_runs (
  id INTEGER PRIMARY KEY,
  detail BLOB NOT NULL
) STRICT;

-- Payments and what is asked of them. Columns are what an index or a decision of the store needs; the rest of a payment
-- is `detail` (docs/store_format.md). `n` comes from the id, so that an id needs no index of its own.
CREATE TABLE payments (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  status INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  deadline INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  lane INTEGER,
  wait_until INTEGER,
  oldest INTEGER,
  report INTEGER,
  sync_id INTEGER,
  blocked_by TEXT,
  merchant_reference TEXT,
  slot INTEGER,
  detail BLOB NOT NULL
) STRICT;
CREATE INDEX payments_by_status ON payments (status, created_at);
CREATE INDEX payments_by_deadline ON payments (lane, deadline) WHERE lane IS NOT NULL;
CREATE INDEX payments_waiting ON payments (wait_until) WHERE wait_until IS NOT NULL;
CREATE INDEX payments_oldest ON payments (oldest) WHERE oldest IS NOT NULL;
CREATE INDEX payments_to_report ON payments (report, created_at) WHERE report IS NOT NULL;
CREATE INDEX payments_by_sync ON payments (sync_id, created_at) WHERE sync_id IS NOT NULL;
CREATE INDEX payments_blocked ON payments (blocked_by) WHERE blocked_by IS NOT NULL;
CREATE UNIQUE INDEX payments_by_reference ON payments (merchant_reference) WHERE merchant_reference IS NOT NULL;

-- Envelopes, in slots of one size that are overwritten in place and never move: nothing of one is left behind on a page.
CREATE TABLE envelopes (
  slot INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL
) STRICT;

-- The head, card counters, cursors and approvers: small rows that share pages.
CREATE TABLE state (
  key TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE journal (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  type TEXT NOT NULL,
  text TEXT NOT NULL,
  hash BLOB NOT NULL
) STRICT;

CREATE TABLE checkpoints (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  hash BLOB NOT NULL,
  signature BLOB NOT NULL
) STRICT;

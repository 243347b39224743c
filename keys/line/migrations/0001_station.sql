-- What a station has promised. Whatever may be given out once only has a UNIQUE column here, and is in a committed row
-- before anything that uses it leaves; rows are never deleted.
CREATE TABLE station (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  next_derivation INTEGER NOT NULL,       -- the derivation number of the next initial key ID
  last_derivation INTEGER NOT NULL,       -- the end of this station's range
  crl_number INTEGER NOT NULL
) STRICT;

-- One row a reader, in the order in which they were first asked for.
CREATE TABLE units (
  unit INTEGER PRIMARY KEY,
  order_name TEXT NOT NULL,
  serial_number TEXT NOT NULL UNIQUE,
  merchant TEXT NOT NULL,
  connection TEXT NOT NULL,
  factory_key TEXT,                       -- SHA-256 of the SPKI, hex: expected, or seen at first contact
  trusted_on_first_use INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'working', 'provisioned', 'aside')),
  reason TEXT,                            -- aside: why
  attempts INTEGER NOT NULL DEFAULT 0,
  certificate TEXT,                       -- serial number of the one that came into force last
  ordered_at INTEGER NOT NULL,
  finished_at INTEGER,
  duration_ms INTEGER                     -- of the attempt that succeeded
) STRICT;
CREATE INDEX units_by_state ON units (state);

-- Derivation numbers: 'allocated' is not yet out, 'sent' may be in the reader, 'proven' was shown to be there, 'active'
-- is in force, 'burned' is used never again.
CREATE TABLE initial_keys (
  ikid TEXT PRIMARY KEY NOT NULL,
  unit INTEGER NOT NULL REFERENCES units,
  purpose TEXT NOT NULL CHECK (purpose IN ('provisioning', 'rekey')),
  state TEXT NOT NULL CHECK (state IN ('allocated', 'sent', 'proven', 'active', 'burned')),
  key_check_value TEXT,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX initial_keys_by_unit ON initial_keys (unit);

-- Certificates: 'allocated' is a number alone, 'issued' is signed and still here, 'sent' may be in the reader, 'unused'
-- never left; 'void' left and never came into force, and stands on the revocation list with 'revoked'.
CREATE TABLE certificates (
  serial_number TEXT PRIMARY KEY NOT NULL,
  unit INTEGER NOT NULL REFERENCES units,
  state TEXT NOT NULL CHECK (state IN ('allocated', 'issued', 'sent', 'proven', 'active', 'unused', 'void', 'revoked')),
  not_after INTEGER,
  der BLOB,
  revoked_at INTEGER,
  reason TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX certificates_by_unit ON certificates (unit);

CREATE TABLE erase_orders (
  nonce TEXT PRIMARY KEY NOT NULL,
  unit INTEGER NOT NULL REFERENCES units,
  certificate TEXT NOT NULL,
  valid_until INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What happened, in words that hold no secret.
CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  unit INTEGER REFERENCES units,
  what TEXT NOT NULL,
  detail TEXT
) STRICT;

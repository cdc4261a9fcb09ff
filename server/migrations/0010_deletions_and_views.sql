-- A deleted experiment can be brought back for a while: when it was deleted. Whoever reads passes it over.
ALTER TABLE experiments ADD COLUMN deleted_at INTEGER;
CREATE INDEX deleted_experiments ON experiments (deleted_at) WHERE deleted_at IS NOT NULL;

-- Pages of the dashboard as somebody arranged them, each an address by a name.
CREATE TABLE saved_views (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    address TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

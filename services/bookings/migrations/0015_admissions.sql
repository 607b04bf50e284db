-- Admissions in the feed of changes: each scan that let somebody in becomes a span of its own.

ALTER TABLE ticket_scans
    -- Revision of the inventory that the scan was decided by. Replicas of the former release leave 0.
    ADD COLUMN rev bigint NOT NULL DEFAULT 0,
    -- Its position in the feed: null until it has one, 0 for scans before this migration.
    ADD COLUMN position bigint DEFAULT 0;

ALTER TABLE ticket_scans ALTER COLUMN position DROP DEFAULT;

CREATE INDEX ticket_scans_by_position ON ticket_scans (position);

-- A span without revisions is the scan at its position.
ALTER TABLE feed_spans
    ALTER COLUMN first_rev DROP NOT NULL,
    ALTER COLUMN last_rev DROP NOT NULL,
    ADD CONSTRAINT feed_spans_revs_whole
        CHECK ((first_rev IS NULL) = (last_rev IS NULL)) NOT VALID;

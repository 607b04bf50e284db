-- In which database cluster, timeline and tables the revisions of inventories were given, and how often
-- they were restored from a backup: see inventory/restoring.sql.
CREATE TABLE lineage (
    only_row boolean NOT NULL DEFAULT true,
    -- Empty until the service first looks.
    name text NOT NULL,
    restores bigint NOT NULL,

    CONSTRAINT lineage_pk PRIMARY KEY (only_row),
    CONSTRAINT lineage_one_row CHECK (only_row)
);

INSERT INTO lineage (name, restores) VALUES ('', 0);

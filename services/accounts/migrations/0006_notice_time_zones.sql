-- The time zone in which a notice shows when its event starts; UTC if it is empty.
ALTER TABLE notices
    ADD COLUMN time_zone text COLLATE "C" NOT NULL DEFAULT '';

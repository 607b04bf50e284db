-- Rooms of events. A screening is an event with a room and a movie.
ALTER TABLE events
    ADD COLUMN movie_id bigint,
    ADD COLUMN room_id bigint,
    ADD COLUMN plan_id bigint,
    ADD COLUMN ends_at timestamptz,
    ADD COLUMN seat_type_prices jsonb,
    ADD COLUMN orphan_rule boolean,
    ADD CONSTRAINT events_movie FOREIGN KEY (movie_id) REFERENCES movies (id),
    ADD CONSTRAINT events_room FOREIGN KEY (room_id) REFERENCES rooms (id),
    ADD CONSTRAINT events_plan FOREIGN KEY (plan_id) REFERENCES seat_plans (id),
    ADD CONSTRAINT events_room_whole CHECK (
        num_nulls(room_id, plan_id, ends_at) = 3
        OR num_nulls(room_id, plan_id, ends_at, starts_at) = 0
    ),
    ADD CONSTRAINT events_movie_in_room CHECK (movie_id IS NULL OR room_id IS NOT NULL),
    ADD CONSTRAINT events_ends_after_start CHECK (ends_at > starts_at);

CREATE INDEX events_by_movie ON events (movie_id, ends_at) WHERE movie_id IS NOT NULL;
CREATE INDEX events_by_room ON events (room_id, ends_at) WHERE room_id IS NOT NULL;
CREATE INDEX screenings_by_start ON events (starts_at, id)
    WHERE movie_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX screenings_by_end ON events (ends_at)
    WHERE movie_id IS NOT NULL AND deleted_at IS NULL;

-- When rooms are taken, and by which event. An event that is to move to another room has both until
-- bookings decides; one that is cancelled or deleted has none.
CREATE TABLE room_slots (
    event_id bigint NOT NULL,
    room_id bigint NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    CONSTRAINT room_slots_pk PRIMARY KEY (event_id, room_id),
    CONSTRAINT room_slots_event FOREIGN KEY (event_id) REFERENCES events (id),
    CONSTRAINT room_slots_room FOREIGN KEY (room_id) REFERENCES rooms (id),
    -- A range of one room can be compared by an index of ranges without an extension.
    CONSTRAINT room_slots_no_overlap EXCLUDE USING gist (
        int8range(room_id, room_id, '[]') WITH &&,
        tstzrange(starts_at, ends_at) WITH &&
    )
);

-- Until when a user who cancels a paid booking is refunded; null for until the event starts.
ALTER TABLE inventory
    ADD COLUMN refund_until timestamptz;

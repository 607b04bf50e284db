-- Rows of the release before decisions moved into the service, as it left them.
INSERT INTO inventory (event_id, capacity, sold, held, live_bookings, waiting, last_place, rev, next_expiry_at, closed_at, closing, frozen, epoch, catalogue_rev, verdict, refusal, cancelled_bookings, skip_fit_after_seconds, key, organizer_id, name, status, deleted, starts_at, sales_open_at, sales_close_at, price_amount_minor, price_currency, one_booking_per_user) VALUES
    (1, 6, 4, 0, 3, 0, 0, 6, NULL, NULL, false, '', '', 1, 'APPLIED', '', 0, NULL, NULL, NULL, 'Concert', 'PUBLISHED', false, '2030-05-01 20:00:00+00:00', NULL, NULL, 2500, 'EUR', NULL),
    (2, 2, 2, 0, 2, 2, 4, 10, NULL, NULL, false, '', '', 1, 'APPLIED', '', 0, NULL, 'event-2', NULL, 'Concert', 'PUBLISHED', false, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, 1, 0, 1, 1, 1, 2, 6, '2096-11-29 04:42:43.895118+00:00', NULL, false, '', '', 1, 'APPLIED', '', 0, NULL, 'event-3', NULL, 'Concert', 'PUBLISHED', false, '2030-05-01 20:00:00+00:00', NULL, NULL, 2500, 'EUR', NULL),
    (4, 4, 0, 0, 0, 0, 1, 6, NULL, '2026-11-29 02:42:43.916411+00:00', true, '', '', 2, 'APPLIED', '', 3, NULL, 'event-4', NULL, 'Concert', 'CANCELLED', false, NULL, NULL, NULL, NULL, NULL, NULL),
    (5, 4, 0, 0, 0, 0, 0, 1, NULL, NULL, false, '', '', 1, 'APPLIED', '', 0, NULL, NULL, NULL, 'Concert', 'COMPLETED', false, NULL, NULL, NULL, NULL, NULL, NULL);

INSERT INTO bookings (event_id, id, reference, user_id, status, exclusive, seat_count, price_amount_minor, price_currency, created_at, expires_at, cancelled_at) VALUES
    (1, 1, '93e25a6157d94e25a7d79406efe50ed7', 'ada', 'CONFIRMED', true, 1, 2500, 'EUR', '2026-11-29 02:42:43.773494+00:00', NULL, NULL),
    (1, 2, 'd31a6252b8524967962250c34dcb596a', 'bob', 'CONFIRMED', true, 1, 2500, 'EUR', '2026-11-29 02:42:43.787553+00:00', NULL, NULL),
    (1, 3, '7a8b4c1662424fa59fe9dd1e49cf7bf6', 'party', 'CONFIRMED', false, 2, 5000, 'EUR', '2026-11-29 02:42:43.806437+00:00', NULL, NULL),
    (1, 4, 'b970025f25824c0c9709cb2e54c20d72', 'pair', 'CANCELLED', false, 2, 5000, 'EUR', '2026-11-29 02:42:43.810386+00:00', NULL, '2026-11-29 02:42:43.821883+00:00'),
    (2, 5, '411dd7d77a5642de81d1255d6f8c3896', 'ada', 'CANCELLED', true, 1, NULL, NULL, '2026-11-29 02:42:43.837158+00:00', NULL, '2026-11-29 02:42:43.867793+00:00'),
    (2, 6, '980ac98e89b44a6e99b352a18c9119a7', 'bob', 'CONFIRMED', true, 1, NULL, NULL, '2026-11-29 02:42:43.842234+00:00', NULL, NULL),
    (2, 7, '1362629fd4cf49d185871002cf376454', 'cyd', 'CONFIRMED', true, 1, NULL, NULL, '2026-11-29 02:42:43.868274+00:00', NULL, NULL),
    (3, 8, 'c588311a76e746dd9d1db0d8586d4772', 'holder', 'CANCELLED', true, 1, 2500, 'EUR', '2026-11-29 02:42:43.884458+00:00', NULL, '2026-11-29 02:42:43.894805+00:00'),
    (3, 9, 'fe05ed7fb1ad4e328f57992109545f48', 'first', 'HELD', true, 1, 2500, 'EUR', '2026-11-29 02:42:43.895118+00:00', '2096-11-29 04:42:43.895118+00:00', NULL),
    (4, 10, 'cc8d030575c3466792b960f23f958d50', 'ada', 'CANCELLED', true, 1, NULL, NULL, '2026-11-29 02:42:43.899207+00:00', NULL, '2026-11-29 02:42:43.916411+00:00'),
    (4, 11, 'e209bf7b9eab4c629154aaff8c98fcb3', 'bob', 'CONFIRMED', true, 1, NULL, NULL, '2026-11-29 02:42:43.900782+00:00', NULL, NULL),
    (4, 12, 'c80b5ac038724f86927487ef81cfcb33', 'cyd', 'CONFIRMED', true, 1, NULL, NULL, '2026-11-29 02:42:43.902073+00:00', NULL, NULL);

INSERT INTO waiting_list (event_id, place, user_id, seat_count, state, booking_id, joined_at, changed_at, blocked_since) VALUES
    (2, 1, 'cyd', 1, 'SERVED', 7, '2026-11-29 02:42:43.844980+00:00', '2026-11-29 02:42:43.868274+00:00', NULL),
    (2, 2, 'dan', 1, 'WAITING', NULL, '2026-11-29 02:42:43.848865+00:00', '2026-11-29 02:42:43.848865+00:00', NULL),
    (2, 3, 'eve', 1, 'LEFT', NULL, '2026-11-29 02:42:43.854397+00:00', '2026-11-29 02:42:43.876864+00:00', NULL),
    (2, 4, 'fay', 1, 'WAITING', NULL, '2026-11-29 02:42:43.856529+00:00', '2026-11-29 02:42:43.856529+00:00', NULL),
    (3, 1, 'first', 1, 'OFFERED', 9, '2026-11-29 02:42:43.886321+00:00', '2026-11-29 02:42:43.895118+00:00', NULL),
    (3, 2, 'second', 1, 'WAITING', NULL, '2026-11-29 02:42:43.887709+00:00', '2026-11-29 02:42:43.887709+00:00', NULL),
    (4, 1, 'big', 3, 'EXPIRED', NULL, '2026-11-29 02:42:43.905245+00:00', '2026-11-29 02:42:43.916411+00:00', NULL);

INSERT INTO ledger (event_id, rev, kind, booking_id, place, user_id, seats, capacity, at, txid) VALUES
    (1, 1, 'OPENED', NULL, NULL, NULL, 0, 6, '2026-11-29 02:42:43.748096+00:00', '3'),
    (1, 2, 'RESERVED', 1, NULL, 'ada', 1, NULL, '2026-11-29 02:42:43.773494+00:00', '3'),
    (1, 3, 'RESERVED', 2, NULL, 'bob', 1, NULL, '2026-11-29 02:42:43.787553+00:00', '3'),
    (1, 4, 'RESERVED', 3, NULL, 'party', 2, NULL, '2026-11-29 02:42:43.806437+00:00', '3'),
    (1, 5, 'RESERVED', 4, NULL, 'pair', 2, NULL, '2026-11-29 02:42:43.810386+00:00', '3'),
    (1, 6, 'CANCELLED', 4, NULL, 'pair', -2, NULL, '2026-11-29 02:42:43.821883+00:00', '3'),
    (2, 1, 'OPENED', NULL, NULL, NULL, 0, 2, '2026-11-29 02:42:43.754966+00:00', '3'),
    (2, 2, 'RESERVED', 5, NULL, 'ada', 1, NULL, '2026-11-29 02:42:43.837158+00:00', '3'),
    (2, 3, 'RESERVED', 6, NULL, 'bob', 1, NULL, '2026-11-29 02:42:43.842234+00:00', '3'),
    (2, 4, 'JOINED', NULL, 1, 'cyd', 0, NULL, '2026-11-29 02:42:43.844980+00:00', '3'),
    (2, 5, 'JOINED', NULL, 2, 'dan', 0, NULL, '2026-11-29 02:42:43.848865+00:00', '3'),
    (2, 6, 'JOINED', NULL, 3, 'eve', 0, NULL, '2026-11-29 02:42:43.854397+00:00', '3'),
    (2, 7, 'JOINED', NULL, 4, 'fay', 0, NULL, '2026-11-29 02:42:43.856529+00:00', '3'),
    (2, 8, 'CANCELLED', 5, NULL, 'ada', -1, NULL, '2026-11-29 02:42:43.867793+00:00', '3'),
    (2, 9, 'SERVED', 7, 1, 'cyd', 1, NULL, '2026-11-29 02:42:43.868274+00:00', '3'),
    (2, 10, 'LEFT', NULL, 3, 'eve', 0, NULL, '2026-11-29 02:42:43.876864+00:00', '3'),
    (3, 1, 'OPENED', NULL, NULL, NULL, 0, 1, '2026-11-29 02:42:43.757401+00:00', '3'),
    (3, 2, 'RESERVED', 8, NULL, 'holder', 1, NULL, '2026-11-29 02:42:43.884458+00:00', '3'),
    (3, 3, 'JOINED', NULL, 1, 'first', 0, NULL, '2026-11-29 02:42:43.886321+00:00', '3'),
    (3, 4, 'JOINED', NULL, 2, 'second', 0, NULL, '2026-11-29 02:42:43.887709+00:00', '3'),
    (3, 5, 'CANCELLED', 8, NULL, 'holder', -1, NULL, '2026-11-29 02:42:43.894805+00:00', '3'),
    (3, 6, 'OFFERED', 9, 1, 'first', 1, NULL, '2026-11-29 02:42:43.895118+00:00', '3'),
    (4, 1, 'OPENED', NULL, NULL, NULL, 0, 4, '2026-11-29 02:42:43.760897+00:00', '3'),
    (4, 2, 'RESERVED', 10, NULL, 'ada', 1, NULL, '2026-11-29 02:42:43.899207+00:00', '3'),
    (4, 3, 'RESERVED', 11, NULL, 'bob', 1, NULL, '2026-11-29 02:42:43.900782+00:00', '3'),
    (4, 4, 'RESERVED', 12, NULL, 'cyd', 1, NULL, '2026-11-29 02:42:43.902073+00:00', '3'),
    (4, 5, 'JOINED', NULL, 1, 'big', 0, NULL, '2026-11-29 02:42:43.905245+00:00', '3'),
    (4, 6, 'CLOSED', NULL, NULL, NULL, -3, 4, '2026-11-29 02:42:43.916523+00:00', '4'),
    (5, 1, 'OPENED', NULL, NULL, NULL, 0, 4, '2026-11-29 02:42:43.762131+00:00', '3');

INSERT INTO idempotency (caller, operation, key, fingerprint, outcome, event_id, booking_id, rev, snapshot, decided_at) VALUES
    ('', 'book_ticket', 'closed-big', '\x7323998af06cc2712dba7e738fb17488daad7ed62374ad56ab8b35b8b5cdb329', 'WAITING', 4, NULL, 5, '{"position": 1}', '2096-11-29 02:42:43.904969+00:00'),
    ('', 'book_ticket', 'ticket-ada', '\x1014895322b8002a37208612364acf723e13462f09994f7be8842209ed8eb887', 'RESERVED', 2, 5, 2, NULL, '2096-11-29 02:42:43.837158+00:00'),
    ('', 'book_ticket', 'ticket-bob', '\xe86b9ae520d2aa41985a2d9365e7ba60f288d64b7e4a3639236ab1ddfbe77b80', 'RESERVED', 2, 6, 3, NULL, '2096-11-29 02:42:43.842234+00:00'),
    ('', 'book_ticket', 'ticket-cyd', '\x7e4e3517380016891154ff30aae8c7c7ca77278032809c4b14acbd9e0fb2f795', 'WAITING', 2, NULL, 4, '{"position": 1}', '2096-11-29 02:42:43.844155+00:00'),
    ('', 'book_ticket', 'ticket-dan', '\x9e0f7467bb4d00e6ea02453180cf3f884e7cfefddaafd25757735d6d658d42b8', 'WAITING', 2, NULL, 5, '{"position": 2}', '2096-11-29 02:42:43.847927+00:00'),
    ('', 'book_ticket', 'ticket-eve', '\x3982537aa04fcf2060539b79b0def09d642c04fdcd1b2e63f81712fd84204be0', 'WAITING', 2, NULL, 6, '{"position": 3}', '2096-11-29 02:42:43.853992+00:00'),
    ('', 'book_ticket', 'ticket-fay', '\x1927805d78f3f6f4e97631d7875c687e697485e0728ba9fe10df603edcbd324e', 'WAITING', 2, NULL, 7, '{"position": 4}', '2096-11-29 02:42:43.856009+00:00'),
    ('', 'book_ticket', 'ticket-ada-again', '\x1014895322b8002a37208612364acf723e13462f09994f7be8842209ed8eb887', 'ALREADY_BOOKED', 2, 5, 7, '{"position": null}', '2096-11-29 02:42:43.858171+00:00'),
    ('', 'book_ticket', 'ticket-dan-again', '\x9e0f7467bb4d00e6ea02453180cf3f884e7cfefddaafd25757735d6d658d42b8', 'ALREADY_WAITING', 2, NULL, 7, '{"position": 2}', '2096-11-29 02:42:43.859544+00:00'),
    ('', 'book_ticket', 'offer-holder', '\x617cddbaa97f1e30b33873b4b277f80a63f34ff38116ce1e89be00ce2f1871e7', 'RESERVED', 3, 8, 2, NULL, '2096-11-29 02:42:43.884458+00:00'),
    ('', 'book_ticket', 'offer-first', '\x8c52aef9ba9cb6b946dd76a6b96ac9035efec8ae7e5f73881fb1bc0e3c5d9384', 'WAITING', 3, NULL, 3, '{"position": 1}', '2096-11-29 02:42:43.886000+00:00'),
    ('', 'book_ticket', 'offer-second', '\x27927d2c9ee8b5b7a21bc22bebc0c589df086ba1d09009c255c0c2bea2781b1b', 'WAITING', 3, NULL, 4, '{"position": 2}', '2096-11-29 02:42:43.887466+00:00'),
    ('', 'book_ticket', 'closed-ada', '\xe62a6043ee96677ea1d425f1eeec6669ed0f4f0f10f3d09bc1e6f731d63d074d', 'RESERVED', 4, 10, 2, NULL, '2096-11-29 02:42:43.899207+00:00'),
    ('', 'book_ticket', 'closed-bob', '\xee535b699396b15cb6481172765b5f9bf44b90fea41bf1feb5b051fbd717761a', 'RESERVED', 4, 11, 3, NULL, '2096-11-29 02:42:43.900782+00:00'),
    ('', 'book_ticket', 'closed-cyd', '\x880b3e8ab1d3c4f3db4acc10c22ea94263fec39bfc49eb80bcf04fff1c94ce7d', 'RESERVED', 4, 12, 4, NULL, '2096-11-29 02:42:43.902073+00:00'),
    ('', 'cancel_booking', 'cancel-pair', '\x8aec2c04358243b2dcf0f426dc61353f1ac17d78f009150f176e6bf15889ccac', 'CANCELLED', 1, 4, 6, '{"id": 4, "status": "CANCELLED", "user_id": "pair", "event_id": 1, "reference": "b970025f-2582-4c0c-9709-cb2e54c20d72", "created_at": "2026-11-29T02:42:43.810386+00:00", "event_name": "Concert", "expires_at": null, "seat_count": 2, "cancelled_at": "2026-11-29T02:42:43.821883+00:00", "price_currency": "EUR", "event_starts_at": "2030-05-01T20:00:00+00:00", "event_organizer_id": null, "price_amount_minor": 5000}', '2096-11-29 02:42:43.824695+00:00'),
    ('', 'cancel_booking', 'cancel-pair-again', '\x8aec2c04358243b2dcf0f426dc61353f1ac17d78f009150f176e6bf15889ccac', 'ALREADY_CANCELLED', 1, 4, 6, '{"id": 4, "status": "CANCELLED", "user_id": "pair", "event_id": 1, "reference": "b970025f-2582-4c0c-9709-cb2e54c20d72", "created_at": "2026-11-29T02:42:43.810386+00:00", "event_name": "Concert", "expires_at": null, "seat_count": 2, "cancelled_at": "2026-11-29T02:42:43.821883+00:00", "price_currency": "EUR", "event_starts_at": "2030-05-01T20:00:00+00:00", "event_organizer_id": null, "price_amount_minor": 5000}', '2096-11-29 02:42:43.833372+00:00'),
    ('', 'cancel_ticket', 'back-eve', '\x9ab73e5506f2a31eae7adb5e3f2903379a49670fefe228acb61d37f37baf6e60', 'LEFT', 2, NULL, 10, '{"promoted": false}', '2096-11-29 02:42:43.877759+00:00'),
    ('', 'cancel_ticket', 'back-ada-again', '\x4c86773c3ccdb0c5fd8b113ee904224dd39a08919d7aa9fed2ed03af5620ff9d', 'ALREADY_CANCELLED', 2, NULL, 10, '{"promoted": false}', '2096-11-29 02:42:43.883265+00:00'),
    ('', 'cancel_ticket', 'offer-back', '\xac311e270ce3dee67e823c251bb268c3a2250a461f51eecff2bba9ff1c7741b0', 'CANCELLED', 3, 8, 5, '{"promoted": true}', '2096-11-29 02:42:43.897914+00:00'),
    ('', 'cancel_ticket', 'back-ada', '\x4c86773c3ccdb0c5fd8b113ee904224dd39a08919d7aa9fed2ed03af5620ff9d', 'CANCELLED', 2, 5, 8, '{"promoted": true}', '2096-11-29 02:42:43.873447+00:00'),
    ('', 'create_booking', 'create-party', '\x8432f1b448600ac4bdd3ac9442900e94c202a55a4cbc5b10d04c635db8d90f7b', 'RESERVED', 1, 3, 4, '{"id": 3, "status": "CONFIRMED", "user_id": "party", "event_id": 1, "reference": "7a8b4c16-6242-4fa5-9fe9-dd1e49cf7bf6", "created_at": "2026-11-29T02:42:43.806437+00:00", "event_name": "Concert", "expires_at": null, "seat_count": 2, "cancelled_at": null, "price_currency": "EUR", "event_starts_at": "2030-05-01T20:00:00+00:00", "event_organizer_id": null, "price_amount_minor": 5000}', '2096-11-29 02:42:43.806437+00:00'),
    ('', 'create_booking', 'create-pair', '\x5d5c2877cfde53f6bd5e7fd74d5ece102f16e57e2ae8e82bfcf1a1533bf2c8b0', 'RESERVED', 1, 4, 5, '{"id": 4, "status": "CONFIRMED", "user_id": "pair", "event_id": 1, "reference": "b970025f-2582-4c0c-9709-cb2e54c20d72", "created_at": "2026-11-29T02:42:43.810386+00:00", "event_name": "Concert", "expires_at": null, "seat_count": 2, "cancelled_at": null, "price_currency": "EUR", "event_starts_at": "2030-05-01T20:00:00+00:00", "event_organizer_id": null, "price_amount_minor": 5000}', '2096-11-29 02:42:43.810386+00:00'),
    ('', 'create_booking', 'create-too-many', '\x006d804a9e2ae816f3b79d68e5405a0b255ee437ec95b20328bb51d4d69c1367', 'SOLD_OUT', 1, NULL, 5, NULL, '2096-11-29 02:42:43.814085+00:00'),
    ('', 'reserve', 'reserve-bob', '\xfcaffd5fecdd4ac31e0bd1e17cf9fb9aa692c4fcb4725065ff3fe4bd6d29ef66', 'RESERVED', 1, 2, 3, NULL, '2096-11-29 02:42:43.787553+00:00'),
    ('', 'reserve', 'reserve-sold-out', '\x5ef2a98fad30b4a755714a4991758c81e28f1782c9cf86526662818b0ce6225e', 'SOLD_OUT', 1, NULL, 5, NULL, '2096-11-29 02:42:43.815605+00:00'),
    ('', 'reserve', 'reserve-ada', '\xc6bab93556261f11db9f17af830318c4a078d9acc60026c49051bb240668e709', 'RESERVED', 1, 1, 2, NULL, '2096-11-29 02:42:43.773494+00:00'),
    ('', 'reserve', 'reserve-off-sale', '\x86db0f31d60af3bafb9bb2e0fd900f10469510f21dccdb08ee509f5bd0ad3fb8', 'EVENT_NOT_BOOKABLE', 5, NULL, 1, NULL, '2096-11-29 02:42:43.805182+00:00'),
    ('', 'reserve', 'reserve-twice', '\xc6bab93556261f11db9f17af830318c4a078d9acc60026c49051bb240668e709', 'ALREADY_BOOKED', 1, 1, 3, NULL, '2096-11-29 02:42:43.797302+00:00');

INSERT INTO tallies (day, bookings, user_id) VALUES
    ('2026-11-29', 1, 'first'),
    ('2026-11-29', 1, 'party'),
    ('2026-11-29', 1, 'ada'),
    ('2026-11-29', 2, 'cyd'),
    ('2026-11-29', 3, 'bob');

INSERT INTO ranks (period, starts_on, user_id, bookings) VALUES
    ('all', '0001-01-01', 'cyd', 2),
    ('all', '0001-01-01', 'bob', 3),
    ('day', '2026-11-29', 'cyd', 2),
    ('day', '2026-11-29', 'bob', 3),
    ('month', '2026-11-01', 'cyd', 2),
    ('month', '2026-11-01', 'bob', 3),
    ('week', '2026-11-23', 'bob', 3),
    ('week', '2026-11-23', 'cyd', 2);

DELETE FROM tallied;
INSERT INTO tallied (only_row, after_txid) VALUES
    (true, '3');

DELETE FROM following;
INSERT INTO following (only_row, epoch, sequence) VALUES
    (true, '', 0);

SELECT setval('booking_id', 12);

// Shapes of the API's JSON, for the editor and `make pages-check`; nothing here runs.

/** @typedef {{amount_minor: number, currency: string}} Money */
/**
 * @typedef {{id: number, name: string, description: ?string, total_seats: number,
 *   available_seats: ?number, status: string, starts_at: ?string, ends_at: ?string,
 *   venue: ?string, time_zone: ?string, price: ?Money, key: ?string, organizer_id: ?string,
 *   sales_open_at: ?string, sales_close_at: ?string, room_id: ?number, plan_id: ?number,
 *   movie_id: ?number, version: number, seat_type_prices: ?Object<string, Money>}} BoxofficeEvent
 */
/**
 * @typedef {{seat_id: number, section: string, row: string, number: number, label: string,
 *   type: string, accessible: boolean, companion: boolean, x: number, y: number}} Seat
 */
/** @typedef {{section: string, places: number, type: string}} Area */
/** @typedef {{id: number, seats: Seat[], areas: Area[], capacity: number}} SeatPlan */
/**
 * @typedef {{revision: number, plan_id: number, held: number[], sold: number[],
 *   blocked: number[], areas: {section: string, places: number, left: number}[]}} SparseMap
 */
/**
 * @typedef {{id: number, reference: string, event_id: number, user_id: string, status: string,
 *   seat_count: number, seat_ids: number[], price: ?Money, created_at: string,
 *   expires_at: ?string, event: {id: number, name: string, starts_at: ?string}}} Booking
 */
/**
 * @typedef {{seat_id: ?number, section: string, row: string, number: ?number, label: string,
 *   code: ?string, used_at: ?string}} TicketSeat
 */
/**
 * @typedef {{ticket_id: string, booking_id: number, reference: string, user_id: string,
 *   event: {id: number, name: string, starts_at: ?string}, seats: TicketSeat[], status: string,
 *   price: ?Money, created_at: string}} Ticket
 */
export {};

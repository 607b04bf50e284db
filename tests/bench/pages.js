// What the benchmark of pages notes in a page. Times are milliseconds since 1970, of one clock.

const now = () => performance.timeOrigin + performance.now();
const afterPaint = (then) => requestAnimationFrame(() => setTimeout(then));

window.bench = { clicked: 0, seen: [], frames: [] };

addEventListener("click", () => (bench.clicked = now()), true);

// The first frame that shows a seat.
const look = () => {
  if (document.querySelector(".map-box canvas, .map-box [data-seat]"))
    afterPaint(() => (bench.painted = performance.now()));
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);

// Every change of seats: when it was decided, when it came, and when it could be seen.
const listen = EventSource.prototype.addEventListener;
EventSource.prototype.addEventListener = function (kind, react) {
  listen.call(this, kind, (message) => {
    const came = now();
    react(message);
    if (!kind.startsWith("seat_re")) return;
    const { timestamp, seat_ids: seats } = JSON.parse(message.data);
    afterPaint(() => bench.seen.push({ kind, seats, decided: Date.parse(timestamp), came, painted: now() }));
  });
};

/** Notes how long frames take while `step` runs before each one. */
bench.measure = async (count, step = () => {}) => {
  const frames = [];
  let last = await new Promise(requestAnimationFrame);
  for (let number = 0; number < count; number += 1) {
    step(number);
    const next = await new Promise(requestAnimationFrame);
    frames.push(next - last);
    last = next;
  }
  return frames;
};

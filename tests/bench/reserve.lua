-- Reserves seats for wrk: each request is of another user, over the events FIRST to FIRST + EVENTS - 1.
-- With KEYS each carries an idempotency key of its own; those of the file TOKENS take turns.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init()
  first, events = tonumber(os.getenv("FIRST")), tonumber(os.getenv("EVENTS"))
  keys, run, count = os.getenv("KEYS") == "1", os.getenv("RUN"), 0
  bearers = {}
  for token in io.lines(os.getenv("TOKENS")) do bearers[#bearers + 1] = "Bearer " .. token end
end

function request()
  count = count + 1
  local user = run .. "-" .. number .. "-" .. count
  local headers = {["Host"] = wrk.headers["Host"], ["Content-Type"] = "application/json"}
  if keys then headers["Idempotency-Key"] = user end
  if #bearers > 0 then headers["Authorization"] = bearers[count % #bearers + 1] end
  local event = first + count % events
  local body = '{"event_id":' .. event .. ',"user_id":"' .. user .. '"}'
  return wrk.format("POST", "/api/bookings/reserve", headers, body)
end

-- Reserves (R), books (B) and cancels (C) for wrk, in the order of MIX, in the event FIRST that also goes
-- by KEY. Whoever cancels had their seat LAG users ago, so that it has been answered.
function init()
  first, key, mix = os.getenv("FIRST"), os.getenv("KEY"), os.getenv("MIX")
  run, lag = os.getenv("RUN"), tonumber(os.getenv("LAG"))
  count, users, cancelled = 0, 0, 0
end

function request()
  count = count + 1
  local at = (count - 1) % #mix + 1
  local kind = mix:sub(at, at)
  local path, body = "/book", nil
  if kind == "C" and cancelled < users - lag then
    cancelled = cancelled + 1
    path, body = "/cancel", '{"userId":"' .. run .. "-" .. cancelled .. '","eventId":"' .. key .. '"}'
  else
    users = users + 1
    local user = run .. "-" .. users
    if kind == "B" then
      body = '{"userId":"' .. user .. '","eventId":"' .. key .. '"}'
    else
      path, body = "/api/bookings/reserve", '{"event_id":' .. first .. ',"user_id":"' .. user .. '"}'
    end
  end
  local headers = {["Host"] = wrk.headers["Host"], ["Content-Type"] = "application/json"}
  return wrk.format("POST", path, headers, body)
end

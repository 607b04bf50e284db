-- Reads the three lists that cost most, in turn.
local paths, count = {"/api/bookings", "/api/bookings/top-users", "/events"}, 0

function request()
  count = count + 1
  return wrk.format("GET", paths[count % #paths + 1])
end

-- Holds seats for wrk: each request is of another user. So many screenings as ABREAST says take turns;
-- after TIMES requests each, the next ones of SCREENINGS do. BODY has the names of what differs: $first and
-- $second are the seats of a pair, all PAIRS of which come before one comes again.
local STRIDE = 7919

function init()
  screenings = {}
  for number in os.getenv("SCREENINGS"):gmatch("%d+") do screenings[#screenings + 1] = number end
  abreast, times = tonumber(os.getenv("ABREAST")), tonumber(os.getenv("TIMES"))
  pairs_of_all, body, run = tonumber(os.getenv("PAIRS")), os.getenv("BODY"), os.getenv("RUN")
  count = 0
end

function request()
  local turn = math.floor(count / abreast)
  local at = math.floor(turn / times) * abreast + count % abreast
  local first = 2 * (turn * STRIDE % pairs_of_all) + 1
  count = count + 1
  local values = {
    screening = screenings[at % #screenings + 1],
    user = run .. "-" .. count,
    first = string.format("%d", first),
    second = string.format("%d", first + 1),
  }
  local headers = {["Host"] = wrk.headers["Host"], ["Content-Type"] = "application/json"}
  return wrk.format("POST", "/api/seat-reservations", headers, (body:gsub("%$(%w+)", values)))
end

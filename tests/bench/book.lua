-- Asks for tickets of the event KEY for wrk: each request is of another user.
function init()
  key, run, count = os.getenv("KEY"), os.getenv("RUN"), 0
end

function request()
  count = count + 1
  local headers = {["Host"] = wrk.headers["Host"], ["Content-Type"] = "application/json"}
  local body = '{"userId":"' .. run .. "-" .. count .. '","eventId":"' .. key .. '"}'
  return wrk.format("POST", "/book", headers, body)
end

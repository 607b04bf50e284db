-- Reads a path for wrk with the headers of HEADERS, a line for each.
function init()
  for name, value in os.getenv("HEADERS"):gmatch("([^:\n]+): ([^\n]+)") do wrk.headers[name] = value end
end

function request()
  return wrk.format("GET", wrk.path)
end

-- Asks Charter whether a request may pass (docs/authorization.md, Gateways). HAProxy 2.6 and later, with Lua as
-- Debian's is; nothing else is needed.
--
--   http-request lua.charter-forward-auth http://127.0.0.1:9091/domains/gateway/access/v1/forward-auth
--   http-request deny status 503 unless { var(txn.charter_allowed) -m bool }
--
-- The second line is not optional: HAProxy goes on when a script fails. The gateway's token comes from the environment,
-- CHARTER_GATEWAY_TOKEN.

local TOKEN = os.getenv("CHARTER_GATEWAY_TOKEN")
if TOKEN == nil or #TOKEN < 32 then
  error("CHARTER_GATEWAY_TOKEN is not set, or has less than 32 characters")
end

local TIMEOUT_MS = 3000

-- All that Charter judges by, each as often as it was sent.
local PASSED_ON = { "authorization", "x-date", "x-nonce", "x-content-sha256" }
-- What the service learns of the caller.
local FORWARDED_HEADERS = { "x-charter-subject", "x-charter-organization", "x-charter-decision", "x-content-sha256" }

-- By what logs and traces find the request, if it is well-formed: a pattern, and the most bytes.
local FOUND_BY = {
  ["x-request-id"] = { "^[A-Za-z0-9._-]+$", 128 },
  ["x-correlation-id"] = { "^[A-Za-z0-9._-]+$", 128 },
  ["traceparent"] = { "^[0-9a-f][0-9a-f-]+$", 64 },
}

local UNAVAILABLE = '{"error":{"type":"UNAVAILABLE","code":"UNAVAILABLE",'
  .. '"message":"whether this is allowed cannot be decided now","request_id":"%s"}}'

-- HAProxy counts the lines of a header from 0.
local function values(lines)
  local list = {}
  for at = 0, #lines do
    if lines[at] ~= nil then
      list[#list + 1] = lines[at]
    end
  end
  return list
end

local function refuse(txn, status, headers, body)
  local reply = txn:reply({ status = status })
  for name, value in pairs(headers) do
    reply:add_header(name, value)
  end
  reply:set_body(body)
  txn:done(reply)
end

local function unavailable(txn, why)
  txn:Warning("charter: " .. why)
  refuse(txn, 503, {
    ["content-type"] = "application/json",
    ["cache-control"] = "no-store",
    ["retry-after"] = "1",
  }, UNAVAILABLE:format(txn.sf:unique_id()))
end

core.register_action("charter-forward-auth", { "http-req" }, function(txn, url)
  local sent = txn.http:req_get_headers()
  local headers = {
    ["x-charter-authorization"] = { "Bearer " .. TOKEN },
    ["x-forwarded-method"] = { txn.sf:method() },
    -- As it was sent: Charter refuses what has a second spelling.
    ["x-forwarded-uri"] = { txn.sf:pathq() },
    ["x-forwarded-for"] = { txn.sf:src() },
  }
  for _, name in ipairs(PASSED_ON) do
    if sent[name] ~= nil then
      headers[name] = values(sent[name])
    end
  end
  for name, form in pairs(FOUND_BY) do
    local lines = sent[name] and values(sent[name]) or {}
    if #lines == 1 and #lines[1] <= form[2] and lines[1]:match(form[1]) then
      headers[name] = lines
    end
  end

  local answer = core.httpclient():get({ url = url, headers = headers, timeout = TIMEOUT_MS })
  if answer == nil or answer.status == nil or answer.status == 0 then
    return unavailable(txn, "no answer from " .. url)
  end
  local headers = answer.headers or {}
  local function first(name)
    return headers[name] and headers[name][0]
  end

  if answer.status == 200 then
    for _, name in ipairs(FORWARDED_HEADERS) do
      txn.http:req_del_header(name)
      if first(name) ~= nil then
        txn.http:req_add_header(name, first(name))
      end
    end
    txn:set_var("txn.charter_allowed", true)
    return
  end
  if answer.status == 401 or answer.status == 403 then
    local passed = { ["content-type"] = "application/json", ["cache-control"] = "no-store" }
    for _, name in ipairs({ "www-authenticate", "x-request-id", "x-correlation-id", "retry-after" }) do
      passed[name] = first(name)
    end
    return refuse(txn, answer.status, passed, answer.body or "")
  end
  unavailable(txn, "status " .. answer.status .. " from " .. url)
end, 1)

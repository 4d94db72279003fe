-- One step of a ledger, as ledger_state.py has it, on the state in KEYS[1]. Names and order of the functions follow that
-- module; constants come with the call. Instead of asking whether a process lives, it expects each waiting ticket to be
-- looked at now and then.
local key, operation, given = KEYS[1], ARGV[1], cjson.decode(ARGV[2])
local limits, constants = given.limits, given.constants
local clock = redis.call('TIME')
local text = redis.call('GET', key)
local state = text and cjson.decode(text) or {
  -- Times are seconds since the state was made: JSON has 14 digits for them here.
  base = tonumber(clock[1]), places = 0, tickets = {}, charges = {}, debts = {0, 0, 0}, closed_until = 0,
  refused_at = false, learned = {0, 0},
}
local now = given.now or (tonumber(clock[1]) - state.base + tonumber(clock[2]) / 1e6)
local limit_tokens = limits.tokens or (state.learned[1] > 0 and state.learned[1]) or constants.assumed
local limit_requests = limits.requests or (state.learned[2] > 0 and state.learned[2]) or nil
local is_assumed = not limits.tokens and state.learned[1] == 0

local function was_refused_within(minutes)
  return state.refused_at and now < state.refused_at + minutes * limits.minute
end

local function is_bucket()
  if limits.model == 'trusted bucket' then return not was_refused_within(constants.distrust_minutes) end
  return limits.model == 'bucket'
end

local function new_sliding(limit)
  local meter = {charges = {}, first = 1, sum = 0}
  function meter.used(at)
    local oldest = meter.charges[meter.first]
    while oldest and oldest[1] + limits.minute <= at do
      meter.sum = meter.sum - oldest[2]
      meter.first = meter.first + 1
      oldest = meter.charges[meter.first]
    end
    return meter.sum
  end
  function meter.earliest(amount, at)
    while meter.used(at) + amount > limit and meter.charges[meter.first] do
      at = math.max(at, meter.charges[meter.first][1] + limits.minute)
    end
    return at
  end
  function meter.charge(amount, at)
    local latest = meter.charges[#meter.charges]
    meter.charges[#meter.charges + 1] = {math.max(at, latest and latest[1] or at), amount}
    meter.sum = meter.sum + amount
  end
  return meter
end

local function new_bucket(limit, debt, since)
  local meter = {debt = debt, at = since}
  local rate = limit / limits.minute
  function meter.used(at) return math.max(0, meter.debt - (at - meter.at) * rate) end
  function meter.earliest(amount, at)
    local missing = meter.debt + math.min(amount, limit) - limit
    return math.max(at, meter.at + missing / rate + 1e-6)
  end
  function meter.charge(amount, at)
    at = math.max(at, meter.at)
    meter.debt = meter.used(at) + amount
    meter.at = at
  end
  return meter
end

local function new_unlimited()
  return {
    used = function() return 0 end,
    earliest = function(_, at) return at end,
    charge = function() end,
  }
end

local function meters()
  local function meter(limit, debt)
    if not limit then return new_unlimited() end
    return is_bucket() and new_bucket(limit, debt, state.debts[3]) or new_sliding(limit)
  end
  local tokens, requests = meter(limit_tokens, state.debts[1]), meter(limit_requests, state.debts[2])
  table.sort(state.charges, function(one, other) return one.at < other.at end)
  for _, charge in ipairs(state.charges) do
    tokens.charge(charge.tokens, charge.at)
    requests.charge(charge.requests, charge.at)
  end
  return tokens, requests
end

local function book(tokens, requests, entry, at)
  at = tokens.earliest(entry.tokens, at)
  at = requests.earliest(entry.requests, at)
  tokens.charge(entry.tokens, at)
  requests.charge(entry.requests, at)
  return at
end

local function keep(entries, wanted)
  local kept = {}
  for _, entry in ipairs(entries) do
    if wanted(entry) then kept[#kept + 1] = entry end
  end
  return kept
end

local function forget()
  local horizon = now - (1 + constants.observed_minutes) * limits.minute
  table.sort(state.charges, function(one, other) return one.at < other.at end)
  if not state.charges[1] or state.charges[1].at > horizon then return end
  local tokens = new_bucket(limit_tokens, state.debts[1], state.debts[3])
  local requests = new_bucket(limit_requests or 1, state.debts[2], state.debts[3])
  for _, charge in ipairs(state.charges) do
    if charge.at <= horizon then
      tokens.charge(charge.tokens, charge.at)
      requests.charge(limit_requests and charge.requests or 0, charge.at)
    end
  end
  state.charges = keep(state.charges, function(charge) return charge.at > horizon end)
  state.debts = {tokens.debt, requests.debt, tokens.at}
end

local function ticket_of(request)
  for _, ticket in ipairs(state.tickets) do
    if ticket.id == request.id then return ticket end
  end
  local place = request.place
  if not place then
    state.places = state.places + 1
    place = state.places
  end
  local ticket = {
    place = place, id = request.id, owner = given.owner, tokens = request.tokens, requests = request.requests,
    since = now, due = 0,
  }
  state.tickets[#state.tickets + 1] = ticket
  table.sort(state.tickets, function(one, other) return one.place < other.place end)
  return ticket
end

local function charge(tokens, requests, at)
  if tokens == 0 and requests == 0 then return end
  state.charges[#state.charges + 1] = {
    id = '', owner = 'elsewhere', at = at, tokens = tokens, requests = requests, open = false,
  }
end

local function without(id)
  local function is_other(entry) return entry.id ~= id end
  state.tickets, state.charges = keep(state.tickets, is_other), keep(state.charges, is_other)
end

local operations = {}

function operations.step()
  forget()
  local request = given.request
  local ticket = ticket_of(request)
  ticket.seen = now
  if not is_assumed and request.tokens > limit_tokens then
    return {place = ticket.place, too_large_for = limit_tokens}
  end
  state.tickets = keep(state.tickets, function(other)
    local is_silent = other.seen < now - constants.silence
    local is_late = other.due > 0 and other.due < now - constants.patience
    return other.place >= ticket.place or not (is_silent or is_late)
  end)
  local tokens, requests = meters()
  local at, ahead, due = math.max(now, state.closed_until), 0, 0
  for _, other in ipairs(state.tickets) do
    if other.place < ticket.place then
      ahead = ahead + 1
      at = book(tokens, requests, other, at)
      if at <= now then
        if other.due == 0 then other.due = now end
        if other.due > now - constants.grace then due = due + 1 end
      end
    end
  end
  at = book(tokens, requests, ticket, at)
  if at > now or due > 0 then
    if ticket.due < now - constants.grace / 2 then ticket.due = 0 end
    local is_quiet = #keep(state.charges, function(entry) return entry.open end) == 0
    return {
      place = ticket.place, start_in = at - now, ahead = ahead, due = due, queue = #state.tickets, is_quiet = is_quiet,
    }
  end
  state.tickets = keep(state.tickets, function(other) return other.id ~= ticket.id end)
  local guard = limits.guard * (was_refused_within(constants.wider_minutes) and constants.wider or 1)
  state.charges[#state.charges + 1] = {
    id = ticket.id, owner = ticket.owner, at = now + guard, tokens = ticket.tokens, requests = ticket.requests,
    open = true,
  }
  return {place = ticket.place, is_granted = true}
end

function operations.settle()
  for _, entry in ipairs(state.charges) do
    if entry.id == given.id then
      entry.tokens, entry.at, entry.open = given.tokens, math.min(entry.at, now), false
    end
  end
end

function operations.withdraw()
  without(given.id)
end

function operations.charge()
  charge(given.tokens, given.requests, now)
end

function operations.limited()
  state.closed_until = math.max(state.closed_until, now + given.seconds)
  state.refused_at = now
end

function operations.observe()
  state.learned = {given.limit_tokens or state.learned[1], given.limit_requests or state.learned[2]}
  limit_tokens = limits.tokens or (state.learned[1] > 0 and state.learned[1]) or constants.assumed
  limit_requests = limits.requests or (state.learned[2] > 0 and state.learned[2]) or nil
  if given.age > constants.observed_minutes * limits.minute then return end
  local tokens, requests = meters()
  local function missing(limit, remaining, used)
    if not limit or not remaining then return 0 end
    return math.max(0, math.floor(limit - remaining - used + 0.5))
  end
  local missing_tokens = missing(limit_tokens, given.remaining_tokens, tokens.used(now - given.age))
  local missing_requests = missing(limit_requests, given.remaining_requests, requests.used(now - given.age))
  charge(missing_tokens, missing_requests, now - given.age)
end

function operations.status()
  local tokens = meters()
  return {
    now = now, is_bucket = is_bucket(), limit_tokens = limit_tokens, limit_requests = limit_requests,
    is_assumed = is_assumed, used_tokens = tokens.used(now), closed_for = math.max(0, state.closed_until - now),
    tickets = state.tickets,
    charges = keep(state.charges, function(entry) return entry.at + limits.minute > now end),
  }
end

local answer = operations[operation]() or {}
if operation ~= 'status' then
  redis.call('SET', key, cjson.encode(state), 'EX', given.expire)
end
return cjson.encode(answer)

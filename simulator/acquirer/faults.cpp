#include "simulator/acquirer/faults.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace nightdrop::simulator {
namespace {

struct Kind {
  FaultKind kind;
  std::string_view name;
  bool processed;           // the default
  std::string_view fields;  // its own, space separated
};
constexpr std::array kinds{
    Kind{FaultKind::None, "none", true, ""},
    Kind{FaultKind::Refuse, "refuse", false, ""},
    Kind{FaultKind::CutBefore, "cut_before", false, ""},
    Kind{FaultKind::CutAfter, "cut_after", true, ""},
    Kind{FaultKind::Delay, "delay", true, "ms"},
    Kind{FaultKind::Status, "status", false, "code retry_after processed"},
    Kind{FaultKind::Html, "html", false, "processed"},
    Kind{FaultKind::Garbage, "garbage", true, "processed"},
    Kind{FaultKind::WrongId, "wrong_id", true, "processed"},
    Kind{FaultKind::SlowDrip, "slow_drip", true, "ms"},
    Kind{FaultKind::Pending, "pending", true, "n retry_after"},
    Kind{FaultKind::Partial, "partial", true, "amount"},
    Kind{FaultKind::Replay, "replay", true, ""},
    Kind{FaultKind::TooLong, "too_long", true, "processed"},
    Kind{FaultKind::Redirect, "redirect", false, "processed"},
    Kind{FaultKind::UnknownOutcome, "unknown_outcome", true, "processed"},
};

using Problem = std::unexpected<std::string>;
template <class T>
using Read = std::expected<T, std::string>;

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == word) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

// Reads the members of one object and says the full name of the one that is wrong.
class Reader {
 public:
  Reader(JsonView object, std::string where) : object_(object), where_(std::move(where)) {}

  Problem problem(std::string_view field, std::string_view what) const {
    return Problem(where_ + "." + std::string(field) + ": " + std::string(what));
  }
  Read<std::int64_t> integer(std::string_view field, std::int64_t low, std::int64_t high, std::int64_t absent) const {
    const JsonView value = object_[field];
    if (!value.exists()) return absent;
    const auto number = value.integer();
    if (!number || *number < low || *number > high) {
      return problem(field, "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    }
    return *number;
  }
  Read<std::string> text(std::string_view field) const {
    const JsonView value = object_[field];
    if (!value.exists()) return std::string();
    const auto text = value.string();
    if (!text || text->empty()) return problem(field, "must be a string that is not empty");
    return std::string(*text);
  }
  Read<void> only(std::string_view fields) const {
    for (const JsonView member : object_.items()) {
      if (!has_word(fields, member.key()))
        return problem(member.key(), "is no field here; known are: " + std::string(fields));
    }
    return {};
  }
  bool has(std::string_view field) const { return object_[field].exists(); }

 private:
  JsonView object_;
  std::string where_;
};

#define READ_INTO(target, expression)                                         \
  do {                                                                        \
    auto read_result = (expression);                                          \
    if (!read_result) return std::unexpected(std::move(read_result.error())); \
    target = *std::move(read_result);                                         \
  } while (false)

Read<void> read_match(const Reader& rule, JsonView match, const std::string& where, FaultRule& into) {
  if (!match.exists()) return {};
  if (!match.is_object()) return rule.problem("match", "must be an object");
  const Reader reader(match, where + ".match");
  const bool refuse = into.fault.kind == FaultKind::Refuse;
  // Before TLS nothing of a request is known.
  if (auto only = reader.only(refuse ? "nth every" : "method path id nth every"); !only) return only;
  READ_INTO(into.method, reader.text("method"));
  READ_INTO(into.path, reader.text("path"));
  READ_INTO(into.id, reader.text("id"));
  READ_INTO(into.nth, reader.integer("nth", 1, 1'000'000'000, 0));
  READ_INTO(into.every, reader.integer("every", 1, 1'000'000'000, 0));
  if (into.nth != 0 && into.every != 0) return reader.problem("every", "cannot be given together with nth");
  if (!into.path.empty() && into.path.front() != '/') return reader.problem("path", "must begin with /");
  return {};
}

Read<void> read_own_fields(const Reader& reader, JsonView rule, const Kind& kind, Fault& into) {
  for (const std::string_view field : {"ms", "code", "retry_after", "n", "amount", "processed"}) {
    if (reader.has(field) && !has_word(kind.fields, field)) {
      return reader.problem(field, "is no field of the fault " + std::string(kind.name));
    }
  }
  for (const std::string_view field : {"ms", "code", "n", "amount"}) {
    if (!reader.has(field) && has_word(kind.fields, field)) {
      return reader.problem(field, "is missing; the fault " + std::string(kind.name) + " needs it");
    }
  }
  READ_INTO(into.ms, reader.integer("ms", 1, 600'000, 0));
  std::int64_t code = 0;
  READ_INTO(code, reader.integer("code", 200, 599, 503));
  into.code = static_cast<int>(code);
  READ_INTO(into.n, reader.integer("n", 1, 1'000'000, 0));
  READ_INTO(into.amount, reader.integer("amount", 1, 99'999'999, 0));
  if (const JsonView after = rule["retry_after"]; after.exists()) {
    if (const auto seconds = after.integer(); seconds && *seconds >= 0)
      into.retry_after = std::to_string(*seconds);
    else if (const auto date = after.string(); date && !date->empty())
      into.retry_after = *date;
    else
      return reader.problem("retry_after", "must be seconds or a date as HTTP writes it");
  }
  if (const JsonView processed = rule["processed"]; processed.exists()) {
    if (!processed.is_bool()) return reader.problem("processed", "must be true or false");
    into.processed = *processed.boolean();
  }
  return {};
}

Read<double> read_probability(const Reader& reader, JsonView value) {
  if (!value.exists()) return 1.0;
  // JsonView reads whole numbers; the number's own text holds the fraction.
  const std::string text = value.dump();
  char* end = nullptr;
  const double probability = std::strtod(text.c_str(), &end);
  if (value.is_string() || end == text.c_str() || *end != '\0' || !(probability >= 0.0 && probability <= 1.0)) {
    return reader.problem("probability", "must be a number from 0 to 1");
  }
  return probability;
}

Read<FaultRule> read_rule(JsonView rule, const std::string& where, std::uint64_t seed) {
  if (!rule.is_object()) return Problem(where + ": must be an object");
  const Reader reader(rule, where);
  if (auto only = reader.only("fault match probability count seed ms code retry_after n amount processed"); !only) {
    return std::unexpected(only.error());
  }
  FaultRule read;
  std::string name;
  READ_INTO(name, reader.text("fault"));
  const auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const Kind& each) { return each.name == name; });
  if (kind == kinds.end()) {
    std::string known;
    for (const Kind& each : kinds) known += (known.empty() ? "" : ", ") + std::string(each.name);
    return reader.problem("fault", name.empty() ? "is missing; known are: " + known : "is none of " + known);
  }
  read.fault.kind = kind->kind;
  read.fault.processed = kind->processed;
  if (auto match = read_match(reader, rule["match"], where, read); !match) return std::unexpected(match.error());
  if (auto own = read_own_fields(reader, rule, *kind, read.fault); !own) return std::unexpected(own.error());
  READ_INTO(read.probability, read_probability(reader, rule["probability"]));
  READ_INTO(read.count, reader.integer("count", 1, 1'000'000'000, 0));
  std::int64_t own_seed = 0;
  READ_INTO(own_seed, reader.integer("seed", 0, std::int64_t{1} << 53, static_cast<std::int64_t>(seed)));
  read.seed = static_cast<std::uint64_t>(own_seed);
  return read;
}

// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
double next_random(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15U;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
  mixed ^= mixed >> 31;
  return static_cast<double>(mixed >> 11) * 0x1.0p-53;
}

bool path_matches(std::string_view pattern, std::string_view path) {
  if (pattern.empty()) return true;
  if (pattern.back() == '*') return path.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == path;
}

}  // namespace

std::string_view fault_name(FaultKind kind) {
  return kinds[static_cast<std::size_t>(kind)].name;
}

std::expected<std::vector<FaultRule>, std::string> parse_fault_plan(JsonView plan) {
  JsonView list = plan;
  std::int64_t seed = 1;
  if (plan.is_object()) {
    const Reader reader(plan, "plan");
    if (auto only = reader.only("seed rules"); !only) return std::unexpected(only.error());
    READ_INTO(seed, reader.integer("seed", 0, std::int64_t{1} << 53, 1));
    list = plan["rules"];
    if (!list.is_array()) return reader.problem("rules", list.exists() ? "must be an array" : "is missing");
  } else if (!plan.is_array()) {
    return Problem("plan: must be an object with rules, or an array of rules");
  }
  std::vector<FaultRule> rules;
  for (const JsonView rule : list.items()) {
    const std::size_t index = rules.size();
    FaultRule read;
    // Rules of one plan draw different numbers.
    READ_INTO(read, read_rule(rule, "rules[" + std::to_string(index) + "]", static_cast<std::uint64_t>(seed) + index));
    rules.push_back(std::move(read));
  }
  return rules;
}

#undef READ_INTO

void Faults::install(std::vector<FaultRule> rules) {
  const std::lock_guard lock(mutex_);
  rules_.clear();
  for (FaultRule& rule : rules) {
    const std::uint64_t seed = rule.seed;
    rules_.push_back(Live{.rule = std::move(rule), .random = seed});
  }
}

void Faults::reset() {
  const std::lock_guard lock(mutex_);
  for (Live& live : rules_) {
    live.matched = 0;
    live.fired = 0;
    live.random = live.rule.seed;
  }
}

bool Faults::fires(Live& live) {
  ++live.matched;
  const FaultRule& rule = live.rule;
  if (rule.nth != 0 && live.matched != rule.nth) return false;
  if (rule.every != 0 && live.matched % rule.every != 0) return false;
  if (rule.probability < 1.0 && next_random(live.random) >= rule.probability) return false;
  return rule.count == 0 || live.fired < rule.count;
}

Fault Faults::pick(std::string_view method, std::string_view path, std::span<const std::string> ids) {
  const std::lock_guard lock(mutex_);
  Live* chosen = nullptr;
  for (Live& live : rules_) {
    const FaultRule& rule = live.rule;
    if (rule.fault.kind == FaultKind::Refuse) continue;
    if (!rule.method.empty() && rule.method != method) continue;
    if (!path_matches(rule.path, path)) continue;
    if (!rule.id.empty() && std::find(ids.begin(), ids.end(), rule.id) == ids.end()) continue;
    // Later rules count what matches them also when an earlier one has fired.
    if (fires(live) && chosen == nullptr) chosen = &live;
  }
  if (chosen == nullptr) return Fault{.processed = true};
  ++chosen->fired;
  ++fired_[std::string(fault_name(chosen->rule.fault.kind))];
  return chosen->rule.fault;
}

bool Faults::refuse_connection() {
  const std::lock_guard lock(mutex_);
  bool refused = false;
  for (Live& live : rules_) {
    if (live.rule.fault.kind != FaultKind::Refuse || !fires(live) || refused) continue;
    ++live.fired;
    ++fired_["refuse"];
    refused = true;
  }
  return refused;
}

std::map<std::string, std::uint64_t> Faults::fired() const {
  const std::lock_guard lock(mutex_);
  return fired_;
}

std::size_t Faults::size() const {
  const std::lock_guard lock(mutex_);
  return rules_.size();
}

}  // namespace nightdrop::simulator

// The state of the reader at a glance: what is at risk, how much of each cap is used, what forwarding does.
#include "nightdrop/time_text.hpp"
#include "report/currency.hpp"
#include "report/listings.hpp"

namespace nightdrop::report {
namespace {

constexpr std::size_t label_width = 12;
constexpr std::size_t bar_width = 20;

std::string text_of(JsonView value) {
  return std::string(value.string().value_or(std::string_view()));
}

std::string line(std::string_view label, const std::string& text) {
  return left(label, label_width) + text + '\n';
}

// A cap's tone: near it at 80 %, as the event limit.near has it.
Tone cap_tone(std::int64_t used, std::int64_t cap) {
  if (used >= cap) return Tone::Bad;
  return used * 5 >= cap * 4 ? Tone::Warning : Tone::Good;
}

std::string reader_line(JsonView reader) {
  std::string text = printable(text_of(reader["serial_number"]));
  if (const std::string label = text_of(reader["label"]); !label.empty()) text += " · " + printable(label);
  if (const std::string firmware = text_of(reader["firmware_version"]); !firmware.empty())
    text += " · " + printable(firmware);
  if (const auto live = reader["livemode"].boolean()) text += *live ? " · live mode" : " · test mode";
  if (reader["tampered"].boolean() == true) return text + " · TAMPERED WITH: its keys are erased";
  if (reader["provisioned"].boolean() == false) text += " · NOT PROVISIONED";
  return text;
}

std::string network_line(JsonView status, const Style& style) {
  const std::string network = text_of(status["network_status"]);
  std::string text = toned(network,
                           network == "online"    ? Tone::Good
                           : network == "offline" ? Tone::Bad
                                                  : Tone::Warning,
                           style);
  if (status["route"].is_string()) text += " over " + text_of(status["route"]);
  return text;
}

std::string stored_lines(JsonView status, const Style& style) {
  const std::int64_t count = status["offline_payments_count"].integer().value_or(0);
  if (count == 0) return line("Stored", "none: nothing is at risk");
  const std::string noun = count == 1 ? " payment" : " payments";
  std::string out =
      line("Stored", toned(std::to_string(count) + noun + " at risk, not authorized", Tone::Warning, style));
  for (const JsonView amount : status["offline_payment_amounts_by_currency"].items()) {
    out += line("", money(amount.integer().value_or(0), amount.key()));
  }
  if (const auto oldest = parse_rfc3339(text_of(status["oldest_stored_at"]))) {
    out += line("  oldest", relative(*oldest, style.now) + ", " + local_time(*oldest, style));
  }
  if (const auto deadline = parse_rfc3339(text_of(status["next_deadline"]))) {
    const bool soon = *deadline - style.now < 3'600'000;
    out += line("  deadline", toned(relative(*deadline, style.now), soon ? Tone::Bad : Tone::Plain, style) + ", " +
                                  local_time(*deadline, style));
  }
  return out;
}

// A cap with its bar, what of it is used and what is left.
std::string cap_line(std::string_view label, std::int64_t cap, std::int64_t remaining, std::string_view currency,
                     const Style& style) {
  const std::int64_t used = cap - remaining;
  const auto number = [&](std::int64_t n) { return currency.empty() ? std::to_string(n) : decimal(n, currency); };
  return line(label, toned(bar(used, cap, bar_width), cap_tone(used, cap), style) + ' ' + number(used) + " of " +
                         number(cap) + ", " + number(remaining) + " left");
}

std::string limit_lines(JsonView limits, const Style& style) {
  std::string out;
  for (const JsonView entry : limits.items()) {
    if (!entry.is_object()) continue;
    const std::string code(entry.key());
    const auto total = entry["device_total"].integer();
    const auto remaining = entry["device_total_remaining"].integer();
    if (total && remaining) out += cap_line("Cap " + printable(code), *total, *remaining, code, style);
    if (const auto each = entry["per_transaction"].integer())
      out += line("", "at most " + decimal(*each, code) + " a payment");
  }
  const auto count = limits["device_count"].integer();
  const auto remaining = limits["device_count_remaining"].integer();
  if (count && remaining) out += cap_line("Cap count", *count, *remaining, {}, style);
  return out;
}

std::string forwarding_line(JsonView forwarding, const Style& style) {
  const std::int64_t in_flight = forwarding["in_flight"].integer().value_or(0);
  const std::string reason = printable(text_of(forwarding["reason"]));
  std::string text = in_flight > 0 ? std::to_string(in_flight) + " being sent" : "idle";
  if (forwarding["paused"].boolean().value_or(false)) text = toned("paused", Tone::Warning, style);
  if (!reason.empty()) text += ": " + reason;
  return text;
}

// Which policy, until when, and what of it or of its overlay was refused.
std::string policy_lines(JsonView policy, const Style& style) {
  if (!policy.is_object()) return {};
  std::string text = "version " + std::to_string(policy["version"].integer().value_or(0));
  if (const auto until = parse_rfc3339(text_of(policy["valid_until"]))) {
    const bool past = *until <= style.now;
    const Tone tone = past ? Tone::Bad : policy["expires_soon"].boolean() == true ? Tone::Warning : Tone::Plain;
    const std::string words = past ? "RUN OUT " + relative(*until, style.now) + ": no offline payments"
                                   : "valid until " + local_time(*until, style) + ", " + relative(*until, style.now);
    text += ", " + toned(words, tone, style);
    if (!past && tone == Tone::Warning) text += toned(": a newer one is needed", tone, style);
  }
  std::string out = line("Policy", text);
  const std::string overlay = text_of(policy["overlay"]);
  if (overlay == "in_force") out += line("  overlay", "in force: the limits are tighter than signed");
  if (overlay == "in_part")
    out += line("  overlay", "in force, " + toned("but left out: ", Tone::Bad, style) +
                                 printable(text_of(policy["overlay_reason"])));
  if (overlay == "refused")
    out += line("  overlay", toned("REFUSED: ", Tone::Bad, style) + printable(text_of(policy["overlay_reason"])));
  if (const JsonView refused = policy["refused"]; refused.is_object()) {
    const auto at = parse_rfc3339(text_of(refused["at"]));
    out +=
        line("  refused", toned("another was refused", Tone::Bad, style) + (at ? " " + relative(*at, style.now) : "") +
                              ": " + printable(text_of(refused["reason"])));
  }
  return out;
}

// Nothing to say until it is time to act.
std::string certificate_line(JsonView certificate, const Style& style) {
  if (certificate["expires_soon"].boolean() != true) return {};
  const auto end = parse_rfc3339(text_of(certificate["not_after"]));
  if (!end) return {};
  const bool past = *end <= style.now;
  const std::string words = past ? "RAN OUT " : "runs out ";
  return line("Certificate", toned(words + relative(*end, style.now), past ? Tone::Bad : Tone::Warning, style) + ", " +
                                 local_time(*end, style) + ": it must be renewed");
}

}  // namespace

std::string status_listing(JsonView offline_status, JsonView reader, const Style& style) {
  std::string out;
  if (reader.is_object()) out += line("Reader", reader_line(reader));
  out += line("Network", network_line(offline_status, style));
  out += stored_lines(offline_status, style);
  out += limit_lines(offline_status["limits"], style);
  out += line("Forwarding", forwarding_line(offline_status["forwarding"], style));
  out += policy_lines(offline_status["policy"], style);
  out += certificate_line(offline_status["certificate"], style);
  return out;
}

}  // namespace nightdrop::report

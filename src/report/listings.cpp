// Lists of payments for people, see listings.hpp.
#include "report/listings.hpp"

#include "nightdrop/time_text.hpp"
#include "report/currency.hpp"
#include "report/receipt.hpp"
#include "report/table.hpp"

namespace nightdrop::report {
namespace {

std::string text_of(JsonView value) {
  return std::string(value.string().value_or(std::string_view()));
}

// A time of the protocol in local time; empty when null.
std::string time_of(JsonView value, const Style& style, bool seconds = false) {
  const auto time = parse_rfc3339(value.string().value_or(std::string_view()));
  return time ? local_time(*time, style, seconds) : std::string();
}

std::string amount_of(JsonView payment) {
  const std::int64_t amount = payment["amount"].integer().value_or(0);
  const bool refund = payment["object"].string() == "refund";
  return money(refund ? -amount : amount, text_of(payment["currency"]));
}

std::string card_of(JsonView payment) {
  const JsonView card = payment["payment_method"];
  if (!card.is_object()) return {};
  return brand_text(text_of(card["brand"])) + " " + text_of(card["last4"]);
}

// insufficient_funds -> insufficient funds
std::string plain_words(std::string word) {
  for (char& c : word) {
    if (c == '_') c = ' ';
  }
  return word;
}

std::string why(JsonView payment) {
  const std::string status = text_of(payment["status"]);
  std::string reason = plain_words(text_of(payment["decline"]["reason"]));
  const std::string code = text_of(payment["decline"]["response_code"]);
  if (reason.empty()) reason = std::string(status_text(status));
  if (!code.empty()) reason += " (" + code + ")";
  return status == "declined" ? reason
                              : std::string(status_text(status)) +
                                    (payment["decline"]["reason"].is_string() ? ": " + reason : std::string());
}

// Names and values in two columns, values without a text left out.
class Facts {
 public:
  void add(const std::string& name, const std::string& value, Tone tone = Tone::Plain) {
    if (value.empty()) return;
    const std::size_t room = style_.width > indent + 20 ? style_.width - indent : 20;
    std::string label = left(name, indent);
    for (const std::string& line : wrapped(printable(value), room)) {
      out_ += label + toned(line, tone, style_) + '\n';
      label = std::string(indent, ' ');
    }
  }
  explicit Facts(const Style& style) : style_(style) {}
  std::string text() const { return out_; }

 private:
  static constexpr std::size_t indent = 20;
  const Style& style_;
  std::string out_;
};

void add_offline(Facts& facts, JsonView offline, const Style& style) {
  if (!offline.is_object()) return;
  facts.add("Stored at", time_of(offline["stored_at"], style, true));
  facts.add("Offline reference", text_of(offline["reference"]));
  if (const auto deadline = parse_rfc3339(text_of(offline["deadline"]))) {
    const bool waits = offline["requires_upload"].boolean().value_or(false);
    facts.add("Deadline", local_time(*deadline, style) + (waits ? ", " + relative(*deadline, style.now) : ""));
  }
  if (const auto attempts = offline["attempts"].integer(); attempts && *attempts > 0) {
    const JsonView last = offline["last_attempt"];
    std::string text = std::to_string(*attempts);
    if (last.is_object()) {
      text += ", last " + time_of(last["at"], style, true);
      if (last["route"].is_string()) text += " over " + text_of(last["route"]);
      text += ": " + plain_words(text_of(last["outcome"]));
    }
    facts.add("Attempts", text);
  }
}

}  // namespace

std::string payments_listing(JsonView payments, const Style& style) {
  Table table({{"TIME", false, Fit::Whole, 8, 70},
               {"REFERENCE", false, Fit::Clip, 10, 90},
               {"AMOUNT", true, Fit::Whole, 8, 100},
               {"STATUS", false, Fit::Clip, 12, 95},
               {"CARD", false, Fit::Clip, 9, 60},
               {"ID", false, Fit::Whole, 8, 10}});
  for (const JsonView payment : payments.items()) {
    const std::string status = text_of(payment["status"]);
    table.row({{time_of(payment["created"], style).substr(0, 16), Tone::Dim},
               {text_of(payment["merchant_reference"]), Tone::Plain},
               {amount_of(payment), Tone::Plain},
               {std::string(status_text(status)), status_tone(status)},
               {card_of(payment), Tone::Plain},
               {text_of(payment["id"]), Tone::Dim}});
  }
  return table.empty() ? "No payments.\n" : table.render(style);
}

std::string what_to_do(JsonView payment) {
  const std::string given = text_of(payment["decline"]["next_action"]);
  if (!given.empty()) return given;
  const std::string status = text_of(payment["status"]);
  if (status == "expired") return "It was never sent. Ask the customer to pay again, then acknowledge it.";
  if (status == "requires_review")
    return "Ask the acquirer what became of it, with its ID, before anything is charged again.";
  if (payment["decline"]["category"].string() == "hard")
    return "Never try this card again. Ask for another way to pay.";
  return "Ask the customer for another way to pay, then acknowledge it.";
}

std::string declines_listing(JsonView payments, const Style& style) {
  Table table({{"TIME", false, Fit::Whole, 8, 40},
               {"REFERENCE", false, Fit::Clip, 10, 90},
               {"AMOUNT", true, Fit::Whole, 8, 100},
               {"CARD", false, Fit::Clip, 9, 50},
               {"WHY", false, Fit::Wrap, 12, 95},
               {"WHAT TO DO", false, Fit::Wrap, 22, 99}});
  for (const JsonView payment : payments.items()) {
    std::string action = what_to_do(payment);
    if (const auto retry = parse_rfc3339(text_of(payment["decline"]["retry_at"]))) {
      action += " The reader tries again " + relative(*retry, style.now) + '.';
    }
    table.row({{time_of(payment["created"], style), Tone::Dim},
               {text_of(payment["merchant_reference"]), Tone::Plain},
               {amount_of(payment), Tone::Plain},
               {card_of(payment), Tone::Plain},
               {why(payment), status_tone(text_of(payment["status"]))},
               {action, Tone::Plain}});
  }
  return table.empty() ? "Nothing to deal with: no declined, expired or doubtful payments.\n" : table.render(style);
}

std::string payment_details(JsonView payment, const Style& style) {
  const std::string status = text_of(payment["status"]);
  Facts facts(style);
  facts.add(payment["object"].string() == "refund" ? "Refund" : "Payment", text_of(payment["id"]), Tone::Strong);
  facts.add("Reference", text_of(payment["merchant_reference"]));
  facts.add("Status", std::string(status_text(status)), status_tone(status));
  facts.add("Amount", amount_of(payment));
  if (const auto tip = payment["amount_details"]["tip"].integer(); tip && *tip != 0) {
    facts.add("  of it tip", money(*tip, text_of(payment["currency"])));
  }
  facts.add("Created", time_of(payment["created"], style, true));
  facts.add("Description", text_of(payment["description"]));
  for (const JsonView entry : payment["metadata"].items()) {
    facts.add("  " + clipped(printable(entry.key()), 16), text_of(entry));
  }
  if (const JsonView card = payment["payment_method"]; card.is_object()) {
    facts.add("Card", card_of(payment) + ", " + read_method_text(text_of(card["read_method"])));
    facts.add("Cardholder", text_of(card["cardholder_name"]));
    facts.add("Fingerprint", text_of(card["fingerprint"]));
  }
  add_offline(facts, payment["offline"], style);
  if (const JsonView authorization = payment["authorization"]; authorization.is_object()) {
    facts.add("Authorization", text_of(authorization["code"]) + " (" + text_of(authorization["id"]) + ")");
    const auto approved = authorization["approved_amount"].integer();
    if (approved && *approved != payment["amount"].integer()) {
      facts.add("Approved amount", money(*approved, text_of(payment["currency"])), Tone::Warning);
    }
  }
  if (const JsonView decline = payment["decline"]; decline.is_object()) {
    facts.add("Declined", why(payment), Tone::Bad);
    facts.add("Retry at", time_of(decline["retry_at"], style, true));
  }
  if (status == "declined" || status == "expired" || status == "requires_review") {
    facts.add("What to do", what_to_do(payment));
  }
  if (const JsonView cancellation = payment["cancellation"]; cancellation.is_object()) {
    facts.add("Canceled",
              time_of(cancellation["at"], style, true) + ", " + plain_words(text_of(cancellation["reason"])));
  }
  return facts.text();
}

}  // namespace nightdrop::report

// Writing receipts, see receipt.hpp.
#include "report/receipt.hpp"

#include <cstdlib>
#include <utility>
#include <vector>

#include "nightdrop/time_text.hpp"
#include "report/currency.hpp"

namespace nightdrop::report {
namespace {

std::string_view text_of(JsonView value) {
  return value.string().value_or(std::string_view());
}

bool is_refund(JsonView payment) {
  return payment["object"].string() == "refund";
}
bool was_reversed(JsonView payment) {
  return payment["cancellation"]["reason"].string() == "reversed";
}

// The digits of a hex byte; -1 where there are none.
int hex_byte(std::string_view hex, std::size_t index) {
  if (hex.size() < 2 * index + 2) return -1;
  const std::string digits(hex.substr(2 * index, 2));
  char* end = nullptr;
  const long value = std::strtol(digits.c_str(), &end, 16);
  return end == digits.c_str() + 2 ? static_cast<int>(value) : -1;
}

// A tag whose bytes are ASCII characters, read from hex ("3030" -> "00"); hex that is none stays as it is.
std::string characters(std::string_view hex) {
  std::string text;
  for (std::size_t i = 0; 2 * i < hex.size(); ++i) {
    const int byte = hex_byte(hex, i);
    if (byte < 0x20 || byte > 0x7E) return std::string(hex);
    text += static_cast<char>(byte);
  }
  return text;
}

// What the customer should know about a payment in this state, whole sentences.
std::string_view explanation(JsonView payment) {
  const std::string_view status = text_of(payment["status"]);
  const bool refund = is_refund(payment);
  if (status == "stored" || status == "forwarding" || status == "processing") {
    if (refund) {
      return "This refund was accepted while the card network could not be reached. It will be sent when the "
             "connection is back and is paid out only if the card issuer then accepts it.";
    }
    if (!payment["offline"]["stored_at"].string()) {
      return "The card network has not answered yet. This payment is not authorized; ask for its outcome.";
    }
    return "This payment was accepted while the card network could not be reached. It will be sent to the card "
           "issuer when the connection is back, who may still decline it.";
  }
  if (status == "declined")
    return refund ? "The refund was not accepted. No money was paid out." : "No money was taken.";
  if (status == "expired") return "This payment was not sent in time. It is not authorized and no money was taken.";
  if (status == "requires_review") return "The outcome is being clarified. This payment is not authorized.";
  if (status == "canceled") {
    return was_reversed(payment) ? "The payment was reversed. An amount held on the card is released by its issuer."
                                 : "The card is not charged.";
  }
  if (status == "succeeded") return {};
  return "No payment was made.";
}

// Composes lines of the receipt's width.
class Paper {
 public:
  explicit Paper(const Style& style) : style_(style) {}

  void rule() { out_ += std::string(receipt_width, '-') + '\n'; }
  void blank() { out_ += '\n'; }
  void middle(std::string_view text, Tone tone = Tone::Plain) {
    for (const std::string& line : wrapped(text, receipt_width)) {
      const std::size_t indent = (receipt_width - display_width(line)) / 2;
      out_ += std::string(indent, ' ') + toned(line, tone, style_) + '\n';
    }
  }
  // Name and value at the two edges; a value that does not fit goes on a line of its own.
  void pair(std::string_view name, std::string_view value, Tone tone = Tone::Plain) {
    if (value.empty()) return;
    const std::string safe = printable(value);
    if (display_width(name) + 1 + display_width(safe) <= receipt_width) {
      const std::string line = std::string(name) + right(safe, receipt_width - display_width(name));
      out_ += toned(line, tone, style_) + '\n';
      return;
    }
    out_ += std::string(name) + '\n';
    for (const std::string& line : wrapped(safe, receipt_width - 2)) out_ += right(line, receipt_width) + '\n';
  }
  void paragraph(std::string_view text) {
    for (const std::string& line : wrapped(text, receipt_width)) out_ += line + '\n';
  }
  void signature(std::string_view whose) {
    blank();
    out_ += 'x' + std::string(receipt_width - 1, '_') + '\n';
    paragraph(whose);
  }
  std::string text() const { return out_; }

 private:
  const Style& style_;
  std::string out_;
};

void write_head(Paper& paper, JsonView payment, const ReceiptHead& head, const Style& style) {
  if (!head.merchant.empty()) paper.middle(printable(head.merchant), Tone::Strong);
  if (!head.livemode) paper.middle("*** TEST - NO VALUE ***");
  paper.rule();
  if (const auto created = parse_rfc3339(text_of(payment["created"]))) {
    paper.pair("Date", local_time(*created, style, true));
  }
  paper.pair("Reader", head.reader);
  paper.pair("Reference", text_of(payment["merchant_reference"]));
  paper.rule();
}

void write_amounts(Paper& paper, JsonView payment) {
  const std::string_view currency = text_of(payment["currency"]);
  const std::int64_t amount = payment["amount"].integer().value_or(0);
  const std::int64_t tip = payment["amount_details"]["tip"].integer().value_or(0);
  if (tip != 0) {
    paper.pair("Subtotal", decimal(amount - tip, currency));
    paper.pair("Tip", decimal(tip, currency));
  }
  paper.pair(is_refund(payment) ? "REFUND" : "TOTAL", money(amount, currency), Tone::Strong);
  const auto approved = payment["authorization"]["approved_amount"].integer();
  if (payment["status"].string() == "succeeded" && approved && *approved != amount) {
    paper.pair("Approved amount", money(*approved, currency), Tone::Strong);
    if (*approved < amount) paper.pair("Still to be paid", money(amount - *approved, currency), Tone::Strong);
  }
}

void write_card(Paper& paper, JsonView card) {
  if (!card.is_object()) return;
  paper.rule();
  paper.pair(brand_text(text_of(card["brand"])), "**** **** **** " + std::string(text_of(card["last4"])));
  paper.pair("Entry", read_method_text(text_of(card["read_method"])));
  const JsonView chip = card["receipt"];
  paper.pair("Application", text_of(chip["application_preferred_name"]));
  paper.pair("AID", text_of(chip["dedicated_file_name"]));
  paper.pair("Cryptogram", text_of(chip["application_cryptogram"]));
  paper.pair("TVR", text_of(chip["terminal_verification_results"]));
  paper.pair("TSI", text_of(chip["transaction_status_information"]));
  paper.pair("ARC", characters(text_of(chip["authorization_response_code"])));
  paper.pair("CVM", text_of(chip["cardholder_verification_method"]));
}

void write_outcome(Paper& paper, JsonView payment, const Style& style) {
  paper.rule();
  if (is_refund(payment)) paper.middle("REFUND", Tone::Strong);
  paper.middle(outcome_text(payment), status_tone(text_of(payment["status"])));
  const JsonView authorization = payment["authorization"];
  const JsonView decline = payment["decline"];
  paper.pair("Authorization code", text_of(authorization["code"]));
  paper.pair("Response code", text_of(authorization["response_code"]));
  paper.pair("Response code", text_of(decline["response_code"]));
  paper.pair("Offline reference", text_of(payment["offline"]["reference"]), Tone::Strong);
  if (const auto deadline = parse_rfc3339(text_of(payment["offline"]["deadline"]));
      deadline && payment["status"].string() == "stored") {
    paper.pair("To be sent by", local_time(*deadline, style));
  }
  if (const auto words = explanation(payment); !words.empty()) {
    paper.blank();
    paper.paragraph(words);
  }
}

// Only a payment that may still be, or is, taken has a cardholder who agreed to it.
bool is_agreed(std::string_view status) {
  return status == "succeeded" || status == "stored" || status == "forwarding" || status == "processing";
}

void write_verification(Paper& paper, JsonView payment, Copy copy) {
  const JsonView card = payment["payment_method"];
  if (!is_agreed(text_of(payment["status"])) || !card.is_object()) return;
  const std::string_view cvm = text_of(card["receipt"]["cardholder_verification_method"]);
  const bool swiped = text_of(card["read_method"]).starts_with("magnetic_stripe") && cvm.empty();
  if (is_refund(payment)) {  // the merchant agrees to it, not the cardholder
    if (copy == Copy::Merchant) paper.signature("Merchant's signature");
    return;
  }
  paper.blank();
  if (signature_needed(cvm) || swiped) {
    if (copy == Copy::Merchant) {
      paper.signature("Cardholder's signature");
    } else {
      paper.middle("Signed on the merchant's copy");
    }
  } else if (const auto words = cardholder_verification_text(cvm); !words.empty()) {
    paper.middle(words);
  } else {
    paper.middle("No signature required");
  }
  if (copy == Copy::Merchant) {
    paper.paragraph("I agree to pay the total above according to my card issuer agreement.");
  }
}

}  // namespace

std::string_view outcome_text(JsonView payment) {
  const std::string_view status = text_of(payment["status"]);
  if (status == "stored") return "STORED OFFLINE - NOT YET AUTHORIZED";
  if (status == "forwarding") return "BEING SENT - NOT YET AUTHORIZED";
  if (status == "processing") return "OUTCOME NOT YET KNOWN - NOT AUTHORIZED";
  if (status == "succeeded") {
    const auto approved = payment["authorization"]["approved_amount"].integer();
    if (approved && *approved < payment["amount"].integer().value_or(0)) return "APPROVED IN PART";
    return "APPROVED";
  }
  if (status == "declined") return "DECLINED";
  if (status == "expired") return "NOT SENT IN TIME - NOT AUTHORIZED";
  if (status == "requires_review") return "NOT AUTHORIZED - UNDER REVIEW";
  if (status == "canceled") return was_reversed(payment) ? "REVERSED" : "CANCELED - VOID";
  if (status == "requires_approval") return "NOT PAID - WAITS FOR A MANAGER";
  return "NOT PAID";
}

std::string_view cardholder_verification_text(std::string_view cvm_results) {
  const int method = hex_byte(cvm_results, 0);
  const int outcome = hex_byte(cvm_results, 2);
  if (method < 0 || outcome < 0 || outcome == 1) return {};
  switch (method & 0x3F) {
    case 0x01:
    case 0x04: return "Verified by PIN";
    case 0x02: return "Verified by PIN online";
    case 0x03:
    case 0x05: return "Verified by PIN and signature";
    case 0x1E: return "Verified by signature";
    case 0x1F: return "No signature required";
    case 0x20: return "Verified on the cardholder's device";
    default: return {};
  }
}

bool signature_needed(std::string_view cvm_results) {
  const int method = hex_byte(cvm_results, 0);
  if (method < 0 || hex_byte(cvm_results, 2) == 1) return false;
  const int code = method & 0x3F;
  return code == 0x03 || code == 0x05 || code == 0x1E;
}

std::string receipt(JsonView payment, const ReceiptHead& head, Copy copy, const Style& style) {
  Paper paper(style);
  write_head(paper, payment, head, style);
  write_amounts(paper, payment);
  write_card(paper, payment["payment_method"]);
  write_outcome(paper, payment, style);
  write_verification(paper, payment, copy);
  paper.blank();
  paper.middle(copy == Copy::Customer ? "CUSTOMER COPY" : "MERCHANT COPY");
  if (copy == Copy::Customer) paper.middle("Please keep this receipt.");
  return paper.text();
}

}  // namespace nightdrop::report

// Taking and giving back money: pay, refund, approve.
#include <array>
#include <ctime>
#include <utility>

#include "cli/commands.hpp"
#include "cli/interaction.hpp"
#include "nightdrop/random.hpp"
#include "report/currency.hpp"
#include "report/receipt.hpp"

namespace nightdrop::cli {
namespace {

// A reference that no other payment has: time and 40 random bits.
std::string new_reference(std::string_view prefix) {
  std::array<char, 24> time{};
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::strftime(time.data(), time.size(), "%Y%m%d-%H%M%S-", &utc);
  std::array<std::uint8_t, 8> random{};
  if (!random_bytes(random)) return {};
  constexpr std::string_view letters = "23456789abcdefghjkmnpqrstuvwxyz_";
  std::string reference = std::string(prefix) + time.data();
  for (const std::uint8_t byte : random) reference += letters[byte % letters.size()];
  return reference;
}

std::expected<std::int64_t, Failure> minor_units(const std::string& text, const std::string& currency,
                                                 const char* what) {
  const auto amount = report::parse_decimal(text, currency);
  if (amount) return *amount;
  return std::unexpected(
      Failure{Exit::Usage, std::string(what) + " " + report::printable(text) + ": " + amount.error().text, {}, {}});
}

std::expected<std::int64_t, Failure> total_of(const std::string& amount, const std::optional<std::int64_t>& minor,
                                              const std::string& currency) {
  if (amount.empty() == !minor)
    return std::unexpected(
        Failure{Exit::Usage, "give one amount: in major units, or in minor units with --minor", {}, {}});
  return minor ? std::expected<std::int64_t, Failure>(*minor) : minor_units(amount, currency, "amount");
}

std::expected<Json, Failure> payment_params(const PayOptions& options) {
  const auto amount = total_of(options.amount, options.minor, options.currency);
  if (!amount) return std::unexpected(amount.error());
  Json params = Json::object();
  params.set("amount", *amount).set("currency", options.currency);
  params.set("merchant_reference", options.reference.empty() ? new_reference("cli-") : options.reference);
  if (!options.tip.empty()) {
    const auto tip = minor_units(options.tip, options.currency, "--tip");
    if (!tip) return std::unexpected(tip.error());
    params.set("amount_details", std::move(Json::object().set("tip", *tip)));
  }
  if (!options.max_offline_amount.empty()) {
    const auto most = minor_units(options.max_offline_amount, options.currency, "--max-offline-amount");
    if (!most) return std::unexpected(most.error());
    params.set("max_offline_amount", *most);
  }
  if (!options.description.empty()) params.set("description", options.description);
  if (!options.offline_behavior.empty()) params.set("offline_behavior", options.offline_behavior);
  if (!options.on_network_loss.empty()) params.set("on_network_loss", options.on_network_loss);
  return params;
}

// What is given back: a payment, a part of it, or an amount to a card.
std::expected<Json, Failure> refund_params(Session& session, const RefundOptions& options) {
  Json params = Json::object();
  std::string currency = options.currency;
  if (!options.payment.empty()) {
    const auto id = session.id_of(options.payment);
    if (!id) return std::unexpected(id.error());
    params.set("payment_intent", *id);
    if (options.amount.empty() && !options.minor) return params;
    const auto payment = session.call("retrieve_payment_intent", std::move(Json::object().set("id", *id)));
    if (!payment) return std::unexpected(payment.error());
    currency = (*payment)["currency"].string().value_or(std::string_view());
  }
  const auto amount = total_of(options.amount, options.minor, currency);
  if (!amount) return std::unexpected(amount.error());
  params.set("amount", *amount);
  if (options.payment.empty()) params.set("currency", currency);
  return params;
}

// What the state that a payment ended in means for a script.
Exit exit_of_payment(JsonView payment) {
  const std::string_view status = payment["status"].string().value_or(std::string_view());
  if (status == "succeeded" || status == "stored" || status == "forwarding") return Exit::Done;
  return status == "processing" ? Exit::TryLater : Exit::Refused;
}

int show_receipt(Session& session, const Answer& payment, bool merchant_copy) {
  return session.show(
      payment, [&](JsonView object) { return receipt_of(session, object, merchant_copy); },
      exit_of_payment(payment.json.view()));
}

}  // namespace

std::string receipt_of(Session& session, JsonView payment, bool merchant_copy) {
  report::ReceiptHead head;
  if (const auto reader = session.call("get_reader")) {
    head.merchant = (*reader)["label"].string().value_or(std::string_view());
    head.reader = (*reader)["serial_number"].string().value_or(std::string_view());
    head.livemode = (*reader)["livemode"].boolean().value_or(true);
  }
  return report::receipt(payment, head, merchant_copy ? report::Copy::Merchant : report::Copy::Customer,
                         session.console.style());
}

int run_pay(Session& session, const PayOptions& options) {
  const auto params = payment_params(options);
  if (!params) return session.fail(params.error());
  auto intent = session.call("create_payment_intent", *params);
  if (!intent) return session.fail(intent.error());
  const auto ended = drive(session, std::move(*intent), options.timeout_s, options.approval);
  if (!ended) return session.fail(ended.error());
  return show_receipt(session, *ended, options.merchant_copy);
}

int run_refund(Session& session, const RefundOptions& options) {
  auto request = refund_params(session, options);
  if (!request) return session.fail(request.error());
  Json params = std::move(*request);
  params.set("merchant_reference", options.reference.empty() ? new_reference("cli-r-") : options.reference);
  auto refund = with_approval(session, "create_refund", params, options.approval);
  if (!refund) return session.fail(refund.error());
  const auto ended = drive(session, std::move(*refund), options.timeout_s, options.approval);
  if (!ended) return session.fail(ended.error());
  return show_receipt(session, *ended, false);
}

int run_approve(Session& session, const Options& options) {
  const auto id = session.id_of(options.payment);
  if (!id) return session.fail(id.error());
  Json params = Json::object();
  const auto approved = with_approval(session, "approve_payment_intent", params.set("id", *id), options.approval);
  if (!approved) return session.fail(approved.error());
  return session.show(*approved, [&](JsonView payment) {
    const std::string status(payment["status"].string().value_or(std::string_view()));
    return "Approved by the manager; the payment is now: " + std::string(report::status_text(status)) + "\n";
  });
}

}  // namespace nightdrop::cli

// Looking at payments and changing stored ones: list, show, tip, void, declines, ack.
#include <utility>

#include "cli/commands.hpp"
#include "report/currency.hpp"
#include "report/listings.hpp"

namespace nightdrop::cli {
namespace {

constexpr int page_max = 100;

Json id_params(std::string_view id) {
  return std::move(Json::object().set("id", id));
}

std::string_view last_id(JsonView data) {
  const auto items = data.items();
  return items.empty() ? std::string_view() : items.back()["id"].string().value_or(std::string_view());
}

// A list method, one page, or all of them as if they were one.
Called pages(Session& session, std::string_view method, Json params, const ListOptions& options) {
  params.set("limit", options.all ? page_max : options.limit);
  if (!options.starting_after.empty()) {
    const auto id = session.id_of(options.starting_after);
    if (!id) return std::unexpected(id.error());
    params.set("starting_after", *id);
  }
  auto page = session.call(method, params);
  if (!options.all || !page) return page;
  Json data = Json::array();
  for (;;) {
    for (const JsonView item : (*page)["data"].items()) data.push(item.copy());
    const std::string_view last = last_id((*page)["data"]);
    if (!(*page)["has_more"].boolean().value_or(false) || last.empty()) break;
    params.set("starting_after", last);
    page = session.call(method, params);
    if (!page) return page;
  }
  Json whole = Json::object();
  whole.set("data", std::move(data)).set("has_more", false);
  return Answer{whole.dump(), std::move(whole)};
}

std::string more_line(JsonView page, const char* command) {
  if (!page["has_more"].boolean().value_or(false)) return {};
  return "\nThere are more: nightdrop " + std::string(command) + " --starting-after " +
         std::string(last_id(page["data"])) + ", or --all\n";
}

}  // namespace

int run_list(Session& session, const ListOptions& options) {
  Json params = Json::object();
  if (!options.status.empty()) params.set("status", options.status);
  const auto page = pages(session, "list_payment_intents", std::move(params), options);
  if (!page) return session.fail(page.error());
  return session.show(*page, [&](JsonView result) {
    return report::payments_listing(result["data"], session.console.style()) + more_line(result, "list");
  });
}

int run_declines(Session& session, const ListOptions& options) {
  Json params = Json::object();
  if (!options.all) params.set("acknowledged", false);
  const auto page = pages(session, "list_declines", std::move(params), options);
  if (!page) return session.fail(page.error());
  return session.show(*page, [&](JsonView result) {
    return report::declines_listing(result["data"], session.console.style()) + more_line(result, "declines");
  });
}

int run_show(Session& session, const Options& options) {
  const bool is_id = options.payment.size() == 35 && options.payment.starts_with("pi_");
  Json params = Json::object();
  const auto payment =
      session.call("retrieve_payment_intent", params.set(is_id ? "id" : "merchant_reference", options.payment));
  if (!payment) return session.fail(payment.error());
  return session.show(*payment, [&](JsonView object) {
    return options.receipt || options.merchant_copy ? receipt_of(session, object, options.merchant_copy)
                                                    : report::payment_details(object, session.console.style());
  });
}

int run_tip(Session& session, const Options& options) {
  const auto id = session.id_of(options.payment);
  if (!id) return session.fail(id.error());
  const auto payment = session.call("retrieve_payment_intent", id_params(*id));
  if (!payment) return session.fail(payment.error());
  const auto tip =
      report::parse_decimal(options.tip_amount, (*payment)["currency"].string().value_or(std::string_view()));
  if (!tip) return session.fail({Exit::Usage, std::string("the tip: ") + tip.error().text, {}, {}});
  Json params = id_params(*id);
  params.set("amount_details", std::move(Json::object().set("tip", *tip)));
  const auto adjusted = session.call("adjust_payment_intent", params);
  if (!adjusted) return session.fail(adjusted.error());
  return session.show(*adjusted, [](JsonView object) {
    const std::string currency(object["currency"].string().value_or(std::string_view()));
    return "Tip " + report::money(object["amount_details"]["tip"].integer().value_or(0), currency) + ", total now " +
           report::money(object["amount"].integer().value_or(0), currency) + ", " +
           std::string(report::status_text(object["status"].string().value_or(std::string_view()))) + "\n";
  });
}

int run_void(Session& session, const Options& options) {
  const auto id = session.id_of(options.payment);
  if (!id) return session.fail(id.error());
  Json params = id_params(*id);
  if (!options.reason.empty()) params.set("reason", options.reason);
  const auto voided = session.call("cancel_payment_intent", params);
  if (!voided) return session.fail(voided.error());
  return session.show(*voided, [&](JsonView object) -> std::string {
    if (object["status"].string() == "canceled") return receipt_of(session, object, false);
    return "Recorded: it is being sent or its outcome is not known yet; it is reversed as soon as it is.\n";
  });
}

int run_ack(Session& session, const Options& options) {
  const auto id = session.id_of(options.payment);
  if (!id) return session.fail(id.error());
  Json params = id_params(*id);
  if (!options.note.empty()) params.set("note", options.note);
  const auto acknowledged = session.call("acknowledge_decline", params);
  if (!acknowledged) return session.fail(acknowledged.error());
  return session.show(*acknowledged, [](JsonView object) {
    return "Acknowledged: " + report::printable(object["merchant_reference"].string().value_or(std::string_view())) +
           "\n";
  });
}

}  // namespace nightdrop::cli

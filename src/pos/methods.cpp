#include "pos/methods.hpp"

#include "nightdrop/encoding.hpp"
#include "report/objects.hpp"

namespace nightdrop::pos {

using terminal::PosError;
using terminal::PosResult;

namespace {

constexpr std::size_t id_max = 64;
constexpr std::size_t policy_document_max = 65'536;  // a line holds no more
constexpr std::int64_t timeout_default_s = 60;
constexpr std::int64_t timeout_max_s = 300;

terminal::IntentParams read_intent(Params& params) {
  terminal::IntentParams intent;
  intent.amount = params.integer("amount", 1, amount_max);
  intent.currency = params.currency("currency");
  intent.merchant_reference = params.printable("merchant_reference", 64);
  intent.tip = params.tip().value_or(0);
  if (intent.tip > intent.amount) params.fail("amount_details", "has a tip larger than the amount");
  intent.description = params.optional_prose("description", 200);
  intent.metadata = params.metadata();
  intent.offline_behavior =
      params.optional_word<OfflineBehavior>("offline_behavior").value_or(OfflineBehavior::PreferOnline);
  intent.on_network_loss = params.optional_word<OnNetworkLoss>("on_network_loss").value_or(OnNetworkLoss::Store);
  intent.max_offline_amount = params.optional_integer("max_offline_amount", 0, amount_max);
  return intent;
}

Json page_json(const terminal::Terminal::Page& page) {
  Json data = Json::array();
  for (const Payment& payment : page.data) data.push(report::payment_json(payment));
  return std::move(Json::object().set("data", std::move(data)).set("has_more", page.has_more));
}

// As hex; null when the reader has none.
Json initial_key_id(const hal::VaultMarks& marks) {
  const bool none = marks.initial_key_id == decltype(marks.initial_key_id){};
  return none ? Json::null() : Json::string(hex_upper(marks.initial_key_id));
}

template <class T, class Print>
PosResult<Json> as_json(const PosResult<T>& value, const Print& print) {
  if (!value) return std::unexpected(value.error());
  return print(*value);
}

}  // namespace

Methods::Methods(terminal::Terminal& terminal, const ReaderFacts& facts)
    : terminal_(terminal),
      facts_(facts),
      methods_{
          {"get_reader", &Methods::get_reader},
          {"create_payment_intent", &Methods::create_payment_intent},
          {"collect_payment_method", &Methods::collect_payment_method},
          {"confirm_payment_intent", &Methods::confirm_payment_intent},
          {"process_payment_intent", &Methods::process_payment_intent},
          {"approve_payment_intent", &Methods::approve_payment_intent},
          {"resolve_network_loss", &Methods::resolve_network_loss},
          {"adjust_payment_intent", &Methods::adjust_payment_intent},
          {"cancel_payment_intent", &Methods::cancel_payment_intent},
          {"create_refund", &Methods::create_refund},
          {"retrieve_payment_intent", &Methods::retrieve_payment_intent},
          {"list_payment_intents", &Methods::list_payment_intents},
          {"retrieve_offline_status", &Methods::retrieve_offline_status},
          {"forward_stored_payments", &Methods::forward_stored_payments},
          {"list_declines", &Methods::list_declines},
          {"acknowledge_decline", &Methods::acknowledge_decline},
          {"retrieve_sync_report", &Methods::retrieve_sync_report},
          {"reconcile", &Methods::reconcile},
          {"acknowledge_events", &Methods::acknowledge_events},
          {"audit_export", &Methods::audit_export},
          {"retrieve_policy", &Methods::retrieve_policy},
          {"update_policy", &Methods::update_policy},
          {"accept_store_damage", &Methods::accept_store_damage},
          {"export_sealed", &Methods::export_sealed},
          {"rekey", &Methods::rekey},
          {"ping", &Methods::ping},
      } {}

bool Methods::call(std::string_view method, JsonView params, const Responder& respond,
                   const std::function<void(Subscription)>& subscribed) {
  Params read(params);
  if (method == "subscribe") {
    subscribe(read, respond, subscribed);
    return true;
  }
  const auto found = methods_.find(method);
  if (found == methods_.end()) return false;
  (this->*found->second)(read, respond);
  return true;
}

void Methods::answer(const Responder& respond, PosResult<Json> value) {
  terminal_.books().reply<Json>(respond, std::move(value));
}

terminal::Reply<Payment> Methods::payment_reply(const Responder& respond) {
  return [respond](const PosResult<Payment>& payment) {
    if (payment) return respond(report::payment_json(*payment));
    respond(std::unexpected(payment.error()));
  };
}

// Each method reads all of its params first; the first that is wrong ends the call and nothing was changed.
#define ND_CHECK(params, respond)                                   \
  do {                                                              \
    if (auto wrong = (params).error()) {                            \
      return answer((respond), std::unexpected(std::move(*wrong))); \
    }                                                               \
  } while (false)

void Methods::ping(Params& params, const Responder& respond) {
  ND_CHECK(params, respond);
  answer(respond, Json::object());
}

void Methods::get_reader(Params& params, const Responder& respond) {
  ND_CHECK(params, respond);
  Json reader = Json::object();
  reader.set("serial_number", facts_.serial_number)
      .set("label", facts_.label)
      .set("device_type", facts_.device_type)
      .set("firmware_version", facts_.firmware_version)
      .set("protocol_version", 1)
      .set("livemode", facts_.livemode)
      .set("initial_key_id", initial_key_id(terminal_.books().ports().vault.marks()))
      .set("tampered", terminal_.tamper().tampered())
      .set("provisioned", facts_.provisioned && !terminal_.books().ports().vault.exhausted());
  answer(respond, std::move(reader));
}

void Methods::create_payment_intent(Params& params, const Responder& respond) {
  const terminal::IntentParams intent = read_intent(params);
  ND_CHECK(params, respond);
  terminal_.books().reply<Payment>(payment_reply(respond), terminal_.checkout().create(intent));
}

void Methods::collect_payment_method(Params& params, const Responder& respond) {
  const std::string id = params.text("id", id_max);
  const std::int64_t timeout = params.optional_integer("timeout_s", 1, timeout_max_s).value_or(timeout_default_s);
  ND_CHECK(params, respond);
  terminal_.checkout().collect(id, std::chrono::seconds(timeout), false, payment_reply(respond));
}

void Methods::process_payment_intent(Params& params, const Responder& respond) {
  const std::string id = params.text("id", id_max);
  const std::int64_t timeout = params.optional_integer("timeout_s", 1, timeout_max_s).value_or(timeout_default_s);
  ND_CHECK(params, respond);
  terminal_.checkout().collect(id, std::chrono::seconds(timeout), true, payment_reply(respond));
}

void Methods::confirm_payment_intent(Params& params, const Responder& respond) {
  const std::string id = params.text("id", id_max);
  ND_CHECK(params, respond);
  terminal_.checkout().confirm(id, payment_reply(respond));
}

void Methods::approve_payment_intent(Params& params, const Responder& respond) {
  const std::string id = params.text("id", id_max);
  const std::string approver = params.text("approver", 64);
  SecretBytes pin = params.pin("pin");
  ND_CHECK(params, respond);
  terminal_.checkout().approve(id, approver, std::move(pin), payment_reply(respond));
}

void Methods::resolve_network_loss(Params& params, const Responder& respond) {
  const std::string id = params.text("id", id_max);
  const std::string decision = params.text("decision", 16);
  if (decision != "store" && decision != "fail") params.fail("decision", "must be store or fail");
  ND_CHECK(params, respond);
  terminal_.checkout().resolve_network_loss(id, decision == "store", payment_reply(respond));
}

void Methods::adjust_payment_intent(Params& params, const Responder& respond) {
  const std::string id = params.text("id", id_max);
  const auto tip = params.tip();
  if (!tip) params.fail("amount_details", "is missing");
  ND_CHECK(params, respond);
  terminal_.checkout().adjust(id, *tip, payment_reply(respond));
}

void Methods::cancel_payment_intent(Params& params, const Responder& respond) {
  const std::string id = params.text("id", id_max);
  const auto reason = params.optional_word<CancelReason>("reason").value_or(CancelReason::Abandoned);
  if (reason == CancelReason::Reversed) params.fail("reason", "is none of the words allowed");
  ND_CHECK(params, respond);
  terminal_.checkout().cancel(id, reason, payment_reply(respond));
}

void Methods::create_refund(Params& params, const Responder& respond) {
  terminal::RefundParams refund;
  refund.payment_intent = params.optional_text("payment_intent", id_max).value_or("");
  refund.approver = params.text("approver", 64);
  SecretBytes pin = params.pin("pin");
  refund.intent.merchant_reference = params.printable("merchant_reference", 64);
  refund.intent.description = params.optional_prose("description", 200);
  refund.intent.metadata = params.metadata();
  refund.intent.offline_behavior =
      params.optional_word<OfflineBehavior>("offline_behavior").value_or(OfflineBehavior::PreferOnline);
  refund.intent.on_network_loss = params.optional_word<OnNetworkLoss>("on_network_loss").value_or(OnNetworkLoss::Store);
  if (refund.payment_intent.empty()) {
    refund.intent.amount = params.integer("amount", 1, amount_max);
    refund.intent.currency = params.currency("currency");
  } else {
    refund.intent.amount = params.optional_integer("amount", 1, amount_max).value_or(0);
  }
  ND_CHECK(params, respond);
  terminal_.checkout().refund(refund, std::move(pin), payment_reply(respond));
}

void Methods::retrieve_payment_intent(Params& params, const Responder& respond) {
  const auto id = params.optional_text("id", id_max);
  const auto reference = params.optional_text("merchant_reference", 64);
  if (id.has_value() == reference.has_value()) params.fail("id", "or merchant_reference must be given, one of them");
  ND_CHECK(params, respond);
  terminal_.books().reply<Payment>(payment_reply(respond),
                                   id ? terminal_.retrieve(*id) : terminal_.retrieve_by_reference(*reference));
}

void Methods::list_payment_intents(Params& params, const Responder& respond) {
  const auto status = params.optional_word<Status>("status");
  const auto limit = params.optional_integer("limit", 1, 100).value_or(10);
  const auto after = params.optional_text("starting_after", id_max).value_or("");
  ND_CHECK(params, respond);
  answer(respond, as_json(terminal_.list(status, static_cast<std::size_t>(limit), after), page_json));
}

void Methods::list_declines(Params& params, const Responder& respond) {
  const auto acknowledged = params.optional_boolean("acknowledged");
  const auto limit = params.optional_integer("limit", 1, 100).value_or(10);
  const auto after = params.optional_text("starting_after", id_max).value_or("");
  ND_CHECK(params, respond);
  answer(respond, as_json(terminal_.list_declines(acknowledged, static_cast<std::size_t>(limit), after), page_json));
}

void Methods::acknowledge_decline(Params& params, const Responder& respond) {
  const std::string id = params.text("id", id_max);
  const std::string note = params.optional_prose("note", 200);
  ND_CHECK(params, respond);
  terminal_.books().reply<Payment>(payment_reply(respond), terminal_.acknowledge_decline(id, note));
}

void Methods::retrieve_offline_status(Params& params, const Responder& respond) {
  ND_CHECK(params, respond);
  answer(respond, as_json(terminal_.offline_status(), [this](const report::OfflineStatus& status) {
           return report::offline_status_json(status, terminal_.policy());
         }));
}

void Methods::forward_stored_payments(Params& params, const Responder& respond) {
  const auto id = params.optional_text("id", id_max);  // an expired payment that a person releases
  ND_CHECK(params, respond);
  if (id) {
    if (const auto released = terminal_.forwarder().release(*id); !released)
      return answer(respond, std::unexpected(released.error()));
  }
  terminal_.forwarder().forward_now();
  answer(respond, std::move(Json::object().set("accepted", true)));
}

void Methods::retrieve_sync_report(Params& params, const Responder& respond) {
  const auto id = params.optional_integer("id", 1, INT64_C(999999999999999));
  ND_CHECK(params, respond);
  answer(respond, terminal_.sync_report(id ? std::optional(static_cast<std::uint64_t>(*id)) : std::nullopt));
}

void Methods::retrieve_policy(Params& params, const Responder& respond) {
  ND_CHECK(params, respond);
  auto document = Json::parse(facts_.policy_document);
  answer(respond, document ? PosResult<Json>(std::move(*document)) : PosResult<Json>(Json::object()));
}

void Methods::update_policy(Params& params, const Responder& respond) {
  const PolicyHandedIn handed_in{params.optional_text("document", policy_document_max).value_or(""),
                                 params.optional_text("signature", 256).value_or("")};
  if (handed_in.document.empty() && !handed_in.signature.empty()) params.fail("document", "is missing");
  if (handed_in.signature.empty() && !handed_in.document.empty()) params.fail("signature", "is missing");
  ND_CHECK(params, respond);
  if (!update_policy_) {
    return answer(respond, terminal::refuse(PosCode::UnexpectedState, "This reader takes no policy over this socket."));
  }
  update_policy_(handed_in, respond);
}

void Methods::rekey(Params& params, const Responder& respond) {
  const std::string block = params.printable("key_block", 4096);
  ND_CHECK(params, respond);
  answer(respond, as_json(terminal_.rekey(block), [](const hal::VaultMarks& marks) {
           return std::move(Json::object().set("initial_key_id", initial_key_id(marks)));
         }));
}

void Methods::accept_store_damage(Params& params, const Responder& respond) {
  ND_CHECK(params, respond);
  const auto accepted = terminal_.accept_damage();
  if (!accepted) return answer(respond, std::unexpected(accepted.error()));
  answer(respond, std::move(Json::object().set("accepted", true)));
}

#undef ND_CHECK

}  // namespace nightdrop::pos

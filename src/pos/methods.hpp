// The POS protocol's methods (docs/pos_protocol.md): name, strict params, and the terminal's answer as JSON. Knows no
// socket: a call comes in with its responder, which is called exactly once, after what it says is durable.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "json/json.hpp"
#include "pos/params.hpp"
#include "terminal/terminal.hpp"

namespace nightdrop::pos {

// What get_reader and retrieve_policy tell.
struct ReaderFacts {
  std::string serial_number;
  std::string label;
  std::string device_type;
  std::string firmware_version;
  bool livemode{false};
  bool provisioned{true};
  std::string policy_document;  // JSON, without PIN hashes
  std::string certificate_pem;  // of the identity key: verifies the journal's checkpoints
};

// A consumer's wish to be told, kept by the connection.
struct Subscription {
  std::string consumer;
  std::vector<std::string> types;  // empty: all
  std::uint64_t sent_through{0};
};

using Responder = std::function<void(terminal::PosResult<Json>)>;

// A policy that the POS hands in; with neither, the configured one is read again.
struct PolicyHandedIn {
  std::string document;
  std::string signature;  // base64
  bool none() const { return document.empty() && signature.empty(); }
};
// Answers once what it says is durable.
using UpdatePolicy = std::function<void(const PolicyHandedIn&, const Responder&)>;

class Methods {
 public:
  Methods(terminal::Terminal& terminal, const ReaderFacts& facts);

  // Who takes new policies; without it update_policy is refused.
  void on_update_policy(UpdatePolicy update) { update_policy_ = std::move(update); }

  // False when there is no such method. `subscribe` is told of a new subscription of this caller.
  bool call(std::string_view method, JsonView params, const Responder& respond,
            const std::function<void(Subscription)>& subscribe);

 private:
  using Method = void (Methods::*)(Params&, const Responder&);

  void get_reader(Params& params, const Responder& respond);
  void create_payment_intent(Params& params, const Responder& respond);
  void collect_payment_method(Params& params, const Responder& respond);
  void confirm_payment_intent(Params& params, const Responder& respond);
  void process_payment_intent(Params& params, const Responder& respond);
  void approve_payment_intent(Params& params, const Responder& respond);
  void resolve_network_loss(Params& params, const Responder& respond);
  void adjust_payment_intent(Params& params, const Responder& respond);
  void cancel_payment_intent(Params& params, const Responder& respond);
  void create_refund(Params& params, const Responder& respond);
  void retrieve_payment_intent(Params& params, const Responder& respond);
  void list_payment_intents(Params& params, const Responder& respond);
  void retrieve_offline_status(Params& params, const Responder& respond);
  void forward_stored_payments(Params& params, const Responder& respond);
  void list_declines(Params& params, const Responder& respond);
  void acknowledge_decline(Params& params, const Responder& respond);
  void retrieve_sync_report(Params& params, const Responder& respond);
  void reconcile(Params& params, const Responder& respond);
  void acknowledge_events(Params& params, const Responder& respond);
  void audit_export(Params& params, const Responder& respond);
  void retrieve_policy(Params& params, const Responder& respond);
  void update_policy(Params& params, const Responder& respond);
  void accept_store_damage(Params& params, const Responder& respond);
  void export_sealed(Params& params, const Responder& respond);
  void rekey(Params& params, const Responder& respond);
  void ping(Params& params, const Responder& respond);
  void subscribe(Params& params, const Responder& respond, const std::function<void(Subscription)>& subscribed);

  void answer(const Responder& respond, terminal::PosResult<Json> value);
  terminal::Reply<Payment> payment_reply(const Responder& respond);

  // An export that is being handed out, page by page. The next one takes its place.
  struct HeldExport {
    std::int64_t id{0};
    terminal::SealedExport made;
  };
  void begin_export(const Responder& respond);
  void export_page(const HeldExport& held, std::size_t offset, const Responder& respond);
  void export_received(const HeldExport& held, const std::string& sha256, const Responder& respond);

  terminal::Terminal& terminal_;
  const ReaderFacts& facts_;
  std::map<std::string_view, Method> methods_;
  UpdatePolicy update_policy_;
  std::optional<HeldExport> held_;
  std::int64_t last_export_{0};
};

}  // namespace nightdrop::pos

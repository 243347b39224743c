// At the counter: intents, the card, the decision online or offline, managers, tips and voids. An intent lives in
// memory until its card's payment is on disk; from then on the queue's row is the truth. Card data is sealed in the
// same call that brings it and dropped with any refusal.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/offline_rules.hpp"
#include "engine/settle.hpp"
#include "hal/card_reader.hpp"
#include "terminal/books.hpp"
#include "terminal/managers.hpp"
#include "terminal/network.hpp"

namespace nightdrop::terminal {

// Parameters of create_payment_intent, checked by the caller for shape and range.
struct IntentParams {
  ObjectKind kind{ObjectKind::PaymentIntent};
  std::int64_t amount{0};
  std::int64_t tip{0};
  Currency currency{};
  std::string merchant_reference;
  std::string description;
  std::vector<std::pair<std::string, std::string>> metadata;
  OfflineBehavior offline_behavior{OfflineBehavior::PreferOnline};
  OnNetworkLoss on_network_loss{OnNetworkLoss::Store};
  std::optional<std::int64_t> max_offline_amount;
};

struct RefundParams {
  std::string payment_intent;  // empty: a refund to a card that will be read
  IntentParams intent;         // amount 0: all that is left to refund
  std::string approver;
};

// Notifications that are not journalled (docs/pos_protocol.md, Events).
struct CounterEvents {
  std::function<void(hal::Prompt, const std::string& id)> prompt;
  std::function<void(bool inserted, const std::string& id)> card;
};

class Checkout final : public hal::CardListener {
 public:
  static constexpr std::int64_t network_wait_ms = 1'000;   // for a probe under way, before a payment goes offline
  static constexpr std::size_t intents_max = 512;          // in memory; the oldest without a card make room
  static constexpr std::int64_t recover_pause_ms = 1'000;  // after a write that failed

  Checkout(Books& books, Network& network, Managers& managers);
  void on_counter_events(CounterEvents events) { events_ = std::move(events); }
  // Called after something was put into the queue, durably.
  void on_stored(std::function<void()> stored) { stored_ = std::move(stored); }

  // Online attempts that nobody attends, because a crash or a failed write cut them off, become stored payments under
  // their own ids, or reversals. At start-up, and by tick() after a write that failed.
  Result<void> recover();

  PosResult<Payment> create(const IntentParams& params);
  void collect(const std::string& id, std::chrono::seconds timeout, bool confirm_after, Reply<Payment> reply);
  void confirm(const std::string& id, Reply<Payment> reply);
  void approve(const std::string& id, const std::string& approver, SecretBytes pin, Reply<Payment> reply);
  void resolve_network_loss(const std::string& id, bool store, Reply<Payment> reply);
  void adjust(const std::string& id, std::int64_t tip, Reply<Payment> reply);
  void cancel(const std::string& id, CancelReason reason, Reply<Payment> reply);
  void refund(const RefundParams& params, SecretBytes pin, Reply<Payment> reply);

  // The intent in memory, newest state; nothing when it is not there (the queue may have it).
  std::optional<Payment> find(std::string_view id_or_reference) const;
  std::vector<Payment> in_memory() const;  // newest first
  bool busy() const { return interaction_.has_value() || !online_.empty(); }

  // The reader was tampered with: what is under way at the counter ends, and nothing new begins.
  void shut();
  void network_changed();                            // who waited for a probe goes on
  void tick();                                       // time-outs
  std::optional<std::int64_t> next_tick_ms() const;  // monotonic
  // A turn was lost: what it had changed in memory is given up, the queue's rows are the truth.
  void forget_undurable();

  // CardListener
  void on_prompt(hal::Prompt prompt) override;
  void on_card_inserted() override;
  void on_card_removed() override;
  void on_card_outcome(hal::CardOutcome outcome) override;

 private:
  struct Intent {
    Payment payment;
    engine::CardFacts facts;
    std::uint64_t order{0};
    bool on_disk{false};
    bool confirm_on_approval{false};
  };
  struct Interaction {
    std::string id;
    Reply<Payment> reply;
    bool confirm_after{false};
    std::int64_t give_up_at_ms{0};
    bool timed_out{false};
    bool canceled{false};
    CancelReason cancel_reason{CancelReason::Abandoned};
    std::vector<Reply<Payment>> cancelers;
  };
  struct Waiter {  // confirmed, and a probe is under way
    std::string id;
    Reply<Payment> reply;
    std::int64_t until_ms{0};
  };
  struct OnlineAttempt {
    Reply<Payment> reply;
    Route route{Route::Wifi};
    std::int64_t give_up_at_ms{0};
    std::int64_t ask_at_ms{0};  // pending there: ask again; 0: not
  };

  // intents.cpp
  Intent* intent_of(const std::string& id);
  PosError missing(const std::string& id);
  PosResult<Payment> same_reference(const IntentParams& params, const Payment& existing);
  void make_room();
  std::optional<PosError> refuse_before_card(const Intent& intent);
  void finish_cancel(Intent& intent, CancelReason reason, const Reply<Payment>& reply);
  void cancel_on_disk(const std::string& id, CancelReason reason, const Reply<Payment>& reply);
  PosResult<Payment> request_cancel(Payment payment, CancelReason reason);

  // card.cpp
  void card_read(Intent& intent, hal::CardData card, const Interaction& interaction);
  void refuse_card(Intent& intent, PosCode code, const char* message, const Reply<Payment>& reply);
  void discard_card(Intent& intent);

  // decide.cpp
  void confirm_intent(Intent& intent, const Reply<Payment>& reply);
  void store_offline(Intent& intent, const Reply<Payment>& reply);
  Result<PosResult<Payment>> try_store(Intent& intent, bool after_attempt, bool fresh);
  Result<void> write_stored(Payment& payment, const engine::Exposure& before, bool fresh);
  void after_stored(const std::string& id);

  // online.cpp
  void send_online(Intent& intent, Route route, const Reply<Payment>& reply);
  void send_attempt(const std::string& id, bool inquiry);
  void on_online_outcome(const std::string& id, bool inquiry, const hal::HostOutcome& outcome);
  void settle_online(Intent& intent, const Answer& answer);
  void network_lost(Intent& intent, bool known_not_sent);
  void end_online(const std::string& id, PosResult<Payment> result);
  Result<void> follow_row(Payment& payment);
  Result<PosResult<Payment>> reverse_unknown(Payment& payment, CancelReason reason);
  Result<PosResult<Payment>> take_back(Intent& intent, PosCode code, const char* message);

  Books& books_;
  Network& network_;
  Managers& managers_;
  CounterEvents events_;
  std::function<void()> stored_;
  std::map<std::string, Intent> intents_;
  std::uint64_t next_order_{1};
  std::optional<Interaction> interaction_;
  std::vector<Waiter> waiters_;
  std::map<std::string, OnlineAttempt> online_;
  std::int64_t recover_at_ms_{0};  // monotonic; 0: nothing to recover
};

}  // namespace nightdrop::terminal

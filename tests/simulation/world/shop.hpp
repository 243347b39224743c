// The POS and its customers: random commands at the counter, and a ledger of what the reader acknowledged. Every call
// is answered exactly once while the reader lives; what was acknowledged must be on the disk at that moment and stay.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "hal/sim/card_catalogue.hpp"
#include "simulation/world/world.hpp"

namespace nightdrop::simulation {

class Shop {
 public:
  Shop(World& world, bool refunds);

  // Posts a handful of commands to the reader's loop; those of one call share a turn.
  void act();
  // Decides what only a person can decide, so that the queue can drain.
  void settle_open_questions();
  // Requires: the queue is drained. Compares what was acknowledged with rows and with the acquirer's ledger.
  void check_books();
  void check_no_call_is_open() const;

  int acknowledged() const { return acknowledged_; }

 private:
  struct Sale {
    std::string reference, id, original;
    bool refund{false};
    bool ready{false};  // a card was read
    bool cancel_asked{false};
    bool told_lost{false};           // the POS was told that it is reversed
    std::optional<Status> told;      // acknowledged last, when it is on the disk
    std::set<std::int64_t> amounts;  // acknowledged, or asked for since
  };
  struct Call {
    std::string name, reference;
    std::int64_t made_at{0};
    bool answered{false};
  };
  terminal::Reply<Payment> call(const std::string& name, const std::string& reference);
  void answered(Call& call, const terminal::PosResult<Payment>& result);
  void told(Sale& sale, const Payment& payment, bool ok);

  Sale& new_sale();
  Sale* some_sale();
  std::int64_t some_amount();
  terminal::IntentParams some_params(const Sale& sale);
  void present_card();
  void pay(bool confirm_after);
  void confirm_all();
  void adjust(Sale& sale);
  void adjust_some();
  void cancel();
  void approve();
  void refund();
  void resolve(bool all);
  void declines();
  void look();
  void check_sale(const Sale& sale);
  void check_charge(const Payment& row);

  World& world_;
  bool refunds_;
  std::vector<hal::CardSpec> deck_;
  std::vector<std::unique_ptr<Sale>> sales_;
  std::list<std::shared_ptr<Call>> open_;
  int next_reference_{1};
  int acknowledged_{0};
};

}  // namespace nightdrop::simulation

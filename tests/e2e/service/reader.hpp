// A reader that left the hall and is in service: nightdropd on the home that the station made, its POS and the world
// around it. Ends with this object; nothing waits without a deadline.
#pragma once

#include <csignal>
#include <string>
#include <vector>

#include "e2e/hall/factory_world.hpp"
#include "e2e/harness.hpp"

namespace nightdrop::e2e {

class InService {
 public:
  // Starts without a network. Requires: the reader's home is provisioned and nobody has it.
  explicit InService(std::string home, const std::vector<std::string>& more = {})
      : home_(std::move(home)), daemon_("nightdropd", words(home_, more), log()) {
    if (daemon_.first_line().empty()) throw std::runtime_error("the reader does not start");
    pos_ = std::make_unique<Rpc>(home_ + "/run/pos.sock");
    sim_ = std::make_unique<Rpc>(home_ + "/run/sim.sock");
    (void)pos_->call("subscribe", R"({"consumer":"service"})");
    set_network("down", "offline");
  }

  static std::vector<std::string> words(const std::string& home, const std::vector<std::string>& more = {}) {
    std::vector<std::string> all{"--config", home + "/nightdrop.json"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::string socket() const { return home_ + "/run/pos.sock"; }
  std::string log() const { return home_ + ".log"; }
  Rpc& pos() { return *pos_; }

  // A payment that is stored; its id.
  std::string store(std::int64_t amount) {
    Json params = Json::object();
    params.set("amount", amount).set("currency", "usd").set("merchant_reference", "order-" + std::to_string(amount));
    const Answer made = pos_->call("create_payment_intent", params.dump());
    (void)sim_->call("present_card", R"({"card":)" + new_card() + "}");
    const Answer stored = pos_->call("process_payment_intent", R"({"id":")" + made.id() + R"(","timeout_s":10})");
    EXPECT_WORD(stored, "stored");
    return made.id();
  }
  // Lets everything that waits go out, then takes the network away again.
  void forward() {
    set_network("up", "online");
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (pos_->call("retrieve_offline_status")["offline_payments_count"].integer() != 0) {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("what waits does not go out");
      (void)pos_->next_event(Milliseconds(20));
    }
    set_network("down", "offline");
  }
  std::string status(const std::string& id) {
    return pos_->call("retrieve_payment_intent", R"({"id":")" + id + R"("})").word();
  }
  std::string initial_key_id() { return pos_->call("get_reader").text("initial_key_id"); }
  int stop() { return daemon_.end(SIGTERM); }

 private:
  void set_network(const std::string& state, const std::string& known) {
    (void)sim_->call("set_link", R"({"link":"wifi","state":")" + state + R"("})");
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (pos_->call("retrieve_offline_status").text("network_status") != known) {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("the network does not become " + known);
      (void)pos_->next_event(Milliseconds(20));
    }
  }

  std::string home_;
  Process daemon_;
  std::unique_ptr<Rpc> pos_;
  std::unique_ptr<Rpc> sim_;
};

// The acquirer's row of a payment; null when it has never heard of it.
inline Json row_of(FactoryWorld& hall, const std::string& id) {
  const Json ledger = hall.ledger();
  for (const JsonView row : ledger.view().items()) {
    if (row["id"].string() == id) return row.copy();
  }
  return Json::null();
}

}  // namespace nightdrop::e2e

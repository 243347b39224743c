// The restaurant's till: a POS as an integrator would write it, on one connection. It keeps its own log of what it was
// told, which the proof later holds against the reader's book and the acquirer's ledger.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "report/chart.hpp"
#include "simulator/story/guests.hpp"
#include "simulator/story/shop.hpp"

namespace nightdrop::simulator {

// What a call came to: the payment as the reader gave it, or why it was refused.
struct Sale {
  Json payment;         // null when refused
  std::string code;     // of a refusal: offline_total_limit_reached
  std::string message;  // of a refusal: the reader's sentence
  bool refused() const { return !code.empty(); }
  std::string status() const { return std::string(payment["status"].string().value_or("")); }
  std::string id() const { return std::string(payment["id"].string().value_or("")); }
};

// A line of the till's own log: a sale that the reader confirmed, online or stored.
struct LogLine {
  std::string id;
  std::int64_t amount{0};
  std::string last4;
  bool voided{false};
};

class Till {
 public:
  explicit Till(Shop& shop) : shop_(shop) {}

  // Connects, again after a restart, and takes up the events where they ended.
  void connect();

  // Rings up a sale and waits until it is confirmed or refused.
  Sale sell(const std::string& reference, std::int64_t amount, const GuestCard& card);
  // The same up to the moment when the card is at the reader; finish() waits for the rest.
  std::uint64_t begin(const std::string& reference, std::int64_t amount, const GuestCard& card);
  Sale finish(std::uint64_t request);

  Sale approve(const std::string& id, std::string_view pin);
  Sale add_tip(const std::string& id, std::int64_t tip);
  Sale take_back(const std::string& id);
  // The sale of a reference; refused with unknown_payment_intent when there is none.
  Sale look_up(const std::string& reference);

  Json offline_status();
  Json sync_report(std::int64_t id);
  Json declines();
  // Every payment in the reader's book, newest first.
  std::vector<Json> book();

  // Reads events until the condition holds; it is asked before the first and after each. Throws StoryFailure after
  // 30 seconds.
  void wait_until(std::string_view what, const std::function<bool()>& holds);
  // Takes in what has arrived.
  void read_events();
  // Waits for the next event of a type.
  void wait_for(std::string_view type);

  // From the events so far: how many payments have been answered by the acquirer; what was at risk; finished runs.
  std::size_t answered() const { return answered_; }
  const report::Exposure& exposure() const { return exposure_; }
  const std::vector<std::int64_t>& sync_runs() const { return sync_runs_; }
  bool sync_is_open() const { return sync_open_; }
  bool near_limit() const { return near_limit_; }

  const std::map<std::string, LogLine>& log() const { return log_; }  // by reference

 private:
  Sale request(std::string_view method, const Json& params);
  Sale outcome(const PosResult<std::string>& answer);
  void note(const Sale& sale);
  bool take_event(PosClient::Milliseconds within);

  Shop& shop_;
  std::optional<PosClient> client_;
  std::int64_t last_seq_{0};
  std::string last_type_;
  std::size_t answered_{0};
  report::Exposure exposure_;
  std::vector<std::int64_t> sync_runs_;
  bool sync_open_{false};
  bool near_limit_{false};
  std::map<std::string, LogLine> log_;
};

}  // namespace nightdrop::simulator

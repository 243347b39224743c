// The line to the acquirer, in virtual time. Each request meets a fate: answered, never begun, lost on the way, answer
// lost or late, garbage, refused for now, unauthorized; copies may arrive long after. Before a request leaves, its
// durable record must be on the disk, and all bodies of one id that may have arrived must be the same bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hal/host_link.hpp"
#include "simulation/world/acquirer_model.hpp"
#include "simulation/world/record_book.hpp"

namespace nightdrop::simulation {

enum class Path : std::uint8_t { Good, BlackHole, Captive };

class SimHost final : public hal::HostLink {
 public:
  struct Surroundings {
    std::function<std::int64_t()> now;                               // true time
    std::function<void(std::int64_t at, std::function<void()>)> at;  // the world's timer
    std::function<void(std::function<void()>)> post;                 // a handler of the loop
    std::function<bool(Route)> link_up;
    std::function<void()> may_crash;
    std::function<void(std::string)> note;
  };
  SimHost(Chance& chance, AcquirerModel& acquirer, const RecordBook& book, Surroundings around)
      : chance_(chance), acquirer_(acquirer), book_(book), around_(std::move(around)) {}

  // The weather; changed by the run.
  std::map<Route, Path> paths;
  std::int64_t trouble_per_mille{0};
  bool unauthorized{false};
  std::int64_t batch{0};  // what capabilities say; 0: no batches
  std::int64_t latency_max_ms{200};

  void send(hal::HostRequest request, std::function<void(hal::HostOutcome)> done) override;
  void drop_route(Route route) override;
  // The process is gone: nobody hears of what is under way, which goes on by itself.
  void forget_flights();
  // A turn was lost, and with it the terminal's memory of what is under way: it may send the same again.
  void disown_flights();

  bool payment_in_flight(const std::string& id) const;
  bool reversal_in_flight(const std::string& id) const;
  std::size_t in_flight() const { return flights_.size(); }
  int unknown_outcomes() const { return unknown_outcomes_; }

 private:
  enum class Kind : std::uint8_t { Capabilities, Payment, Batch, Inquiry, Reversal };
  struct Flight {
    Kind kind{Kind::Payment};
    std::vector<std::string> ids;
    hal::HostRequest request;
    std::function<void(hal::HostOutcome)> done;
    bool over{false};
    bool disowned{false};
  };
  using FlightPtr = std::shared_ptr<Flight>;

  static FlightPtr read(hal::HostRequest request);
  void check(const Flight& flight);
  void check_payment(const std::string& id, std::int64_t attempt);
  void meet_fate(const FlightPtr& flight);
  void meet_trouble(const FlightPtr& flight);
  void remember_bodies(const Flight& flight);
  void remember_body(const std::string& id, const std::string& body);
  hal::HostOutcome process(const Flight& flight);
  AcquirerModel::Answer answer_of(const Flight& flight);
  static hal::HostReply reply(int status, std::string body, std::int64_t retry_after_s = -1);
  hal::HostReply garbage();
  void process_at(const FlightPtr& flight, std::int64_t at);
  void finish_at(const FlightPtr& flight, std::int64_t at, hal::HostOutcome outcome);
  void finish(const FlightPtr& flight, hal::HostOutcome outcome);

  Chance& chance_;
  AcquirerModel& acquirer_;
  const RecordBook& book_;
  Surroundings around_;
  std::list<FlightPtr> flights_;
  std::map<std::string, std::string> bodies_;  // of ids that may have arrived
  int unknown_outcomes_{0};
};

}  // namespace nightdrop::simulation

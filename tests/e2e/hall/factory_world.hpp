// A factory hall with the real programs: a station (nightdrop-provision over SoftHSM2), readers in factory state
// (nightdropd --factory) on serial lines that misbehave, the simulated acquirer to whom they shall speak, and what a
// reader does after it left the hall. Every process dies with its object.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "e2e/hall/serial_lines.hpp"
#include "e2e/harness.hpp"

namespace nightdrop::e2e {

struct Unit {
  std::string serial_number;
  std::string home;
  std::size_t line{0};
  std::string authority;  // the CA it is started with
  std::unique_ptr<Process> process;
};

// What these readers have that others have not.
struct HallOptions {
  std::string template_patch{"{}"};         // laid over the configuration's template
  std::vector<std::string> reader_options;  // more words for nightdropd --factory
};

class FactoryWorld {
 public:
  explicit FactoryWorld(std::size_t units, HallOptions options = {});
  ~FactoryWorld();

  std::vector<Unit>& units() { return units_; }
  SerialLines& lines() { return *lines_; }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string station() const { return path("station"); }

  // (Re)starts what is not running, on lines laid anew where they were cut.
  void put_up(Unit& unit);
  void put_up_all();
  void kill(Unit& unit);
  // A whole other operator's authority: a reader that believes it refuses our station.
  std::string foreign_authority();

  // One reader through the station's hands, over its line. Errors: throws.
  void provision(const Unit& unit);
  // Runs the batch to its end, or to the moment at which kill_station() meets it. The exit code.
  int batch(int jobs);
  // From any thread; nothing where no batch runs.
  void kill_station();
  Json report(const std::string& command, const std::vector<std::string>& more = {});

  // What a reader's home says of itself, once it is provisioned.
  Json initial_key_ids();

  // The reader, out of the hall, takes a payment without a network, forwards it, and ends. Gives its id.
  std::string take_and_forward(const Unit& unit);
  void start_acquirer();
  Json ledger();
  Json stats();

 private:
  void make_station();
  void make_acquirer();
  void write_orders();
  std::vector<std::string> recipe() const;
  Json admin(const std::string& path);

  const HallOptions options_;
  std::string folder_;
  int port_{0};
  std::vector<Unit> units_;
  std::unique_ptr<SerialLines> lines_;
  std::unique_ptr<Process> acquirer_;
  std::mutex station_mutex_;
  pid_t station_process_{-1};
};

}  // namespace nightdrop::e2e

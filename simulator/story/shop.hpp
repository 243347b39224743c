// The restaurant's machines, all of them real processes: nightdropd on a simulated reader, and the acquirer. The shop
// makes the reader, starts and kills the daemon, pulls the line and asks the acquirer to misbehave.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.hpp"
#include "nightdrop/pos_client.hpp"
#include "simulator/story/process.hpp"

namespace nightdrop::simulator {

class Shop {
 public:
  // Makes the reader with its policy and starts the acquirer. Throws StoryFailure.
  Shop(std::string directory, std::string programs);

  void start_reader();
  void kill_reader();        // SIGKILL: as if the power had gone
  void switch_reader_off();  // SIGTERM: in order
  void stop_acquirer();

  // The line: up, down, blackhole, captive.
  void set_line(std::string_view state, int round_trip_ms = 0);
  // Puts a card to the reader; it waits until the reader asks for one.
  void present(JsonView card);
  void take_card_away();

  // Installs a plan of faults at the acquirer; an empty array heals it.
  void acquirer_faults(std::string_view plan);
  Json acquirer_stats();

  // Runs the `nightdrop` command against this reader.
  Ended command(std::vector<std::string> arguments);

  // A new connection to the POS socket.
  PosClient connect() const;

  const std::string& directory() const { return directory_; }
  const std::string& programs() const { return programs_; }
  std::string path(std::string_view name) const { return directory_ + "/" + std::string(name); }
  std::string config_file() const { return path("nightdrop.json"); }
  std::string acquirer_address() const { return acquirer_address_; }
  pid_t reader_process() const { return reader_ ? reader_->id() : -1; }

 private:
  void make_folder() const;
  void provision() const;
  void set_up_for_watching();
  void world(std::string_view method, const Json& params);

  std::string directory_;
  std::string programs_;
  std::string acquirer_address_;
  std::string admin_address_;
  std::unique_ptr<Process> acquirer_;
  std::unique_ptr<Process> reader_;
  std::optional<PosClient> world_;  // the simulated reader's own socket speaks the same lines
};

// Calls a method. Throws StoryFailure when it is refused or there is no answer.
Json call(PosClient& client, std::string_view method, const Json& params);

// One request to the acquirer's admin API. Throws StoryFailure.
Json admin_request(const std::string& address, const char* method, const std::string& path, std::string_view body);

}  // namespace nightdrop::simulator

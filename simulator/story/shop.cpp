#include "simulator/story/shop.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "simulator/story/guests.hpp"

namespace nightdrop::simulator {
namespace {

constexpr auto call_timeout = std::chrono::seconds(20);
// A few requests at once and one payment in each, so that one can watch it; a reader sends up to 100 in a batch.
constexpr int window_to_watch = 4;

std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw StoryFailure(path + " cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_whole(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) throw StoryFailure(path + " cannot be written");
}

std::string text_of(JsonView value) {
  return std::string(value.string().value_or(""));
}

}  // namespace

Json call(PosClient& client, std::string_view method, const Json& params) {
  auto answer = client.call(method, params.dump(), call_timeout);
  if (!answer) {
    throw StoryFailure(std::string(method) + ": " +
                       (answer.error().refused() ? answer.error().answer : answer.error().error.text));
  }
  auto json = Json::parse(*answer);
  if (!json) throw StoryFailure(std::string(method) + ": the answer is no JSON");
  return std::move(*json);
}

Shop::Shop(std::string directory, std::string programs)
    : directory_(std::move(directory)), programs_(std::move(programs)) {
  make_folder();
  provision();
  acquirer_ =
      std::make_unique<Process>(std::vector<std::string>{programs_ + "/nightdrop-sim", "acquirer", "--dir",
                                                         path("acquirer"), "--listen", "127.0.0.1:0", "--verbose"},
                                path("log/acquirer.log"));
  acquirer_address_ = text_of(acquirer_->ready()["listen"]);
  admin_address_ = text_of(acquirer_->ready()["admin"]);
  set_up_for_watching();
}

// Only into a folder that is new, empty, or was made by this before: what is in it goes.
void Shop::make_folder() const {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::exists(directory_, error) && !fs::is_empty(directory_, error) && !fs::exists(path("DEVELOPMENT"), error)) {
    throw StoryFailure(directory_ + " holds something else; give a new folder");
  }
  fs::remove_all(path("log"), error);
  fs::create_directories(path("log"), error);
  if (error) throw StoryFailure(directory_ + " cannot be made: " + error.message());
}

void Shop::provision() const {
  const std::string provision = programs_ + "/nightdrop-provision";
  const std::string log = path("log/provision.log");
  const std::string draft = path("log/policy_unsigned.json");
  const Ended defaults = run_program({provision, "policy", "defaults"}, log);
  const auto policy = Json::parse(defaults.out);
  if (defaults.exit_code != 0 || !policy) throw StoryFailure("policy defaults: " + read_whole(log));
  write_whole(draft, restaurant_policy(policy->view()));
  const Ended added = run_program({provision, "policy", "add-approver", "--policy", draft, "--id", manager}, log,
                                  std::string(manager_pin) + "\n");
  if (added.exit_code != 0) throw StoryFailure("policy add-approver: " + read_whole(log));
  const Ended made = run_program({provision, "dev", "--out", directory_, "--policy", draft, "--force"}, log);
  if (made.exit_code != 0) throw StoryFailure("provision dev: " + read_whole(log));
}

// The acquirer has taken a free port; the reader is told which, and goes slowly enough to be watched.
void Shop::set_up_for_watching() {
  auto config = Json::parse(read_whole(config_file()));
  if (!config) throw StoryFailure(config_file() + " is no JSON");
  Json acquirer = (*config)["acquirer"].copy();
  acquirer.set("url", "https://" + acquirer_address_).set("batch", false).set("window", window_to_watch);
  config->set("acquirer", std::move(acquirer));
  write_whole(config_file(), config->view().dump_pretty() + "\n");
}

void Shop::start_reader() {
  reader_ = std::make_unique<Process>(std::vector<std::string>{programs_ + "/nightdropd", "--config", config_file()},
                                      path("log/nightdropd.log"));
  auto world = PosClient::connect(text_of(reader_->ready()["sim_socket"]));
  if (!world) throw StoryFailure("the simulated reader's world cannot be reached");
  world_ = std::move(*world);
}

void Shop::kill_reader() {
  reader_->end(SIGKILL);
  reader_.reset();
}

void Shop::switch_reader_off() {
  const int code = reader_->end(SIGTERM);
  reader_.reset();
  if (code != 0) throw StoryFailure("nightdropd did not end in order; see " + path("log/nightdropd.log"));
}

void Shop::stop_acquirer() {
  const int code = acquirer_->end(SIGTERM);
  acquirer_.reset();
  if (code != 0) throw StoryFailure("the acquirer did not end in order; see " + path("log/acquirer.log"));
}

void Shop::world(std::string_view method, const Json& params) {
  (void)call(*world_, method, params);
}

void Shop::set_line(std::string_view state, int round_trip_ms) {
  Json params = Json::object();
  world("set_link", params.set("link", "wifi").set("state", state).set("latency_ms", round_trip_ms));
}

void Shop::present(JsonView card) {
  Json params = Json::object();
  world("present_card", params.set("card", card));
}

void Shop::take_card_away() {
  world("remove_card", Json::object());
}

void Shop::acquirer_faults(std::string_view plan) {
  (void)admin_request(admin_address_, "POST", "/admin/faults", plan);
}

Json Shop::acquirer_stats() {
  return admin_request(admin_address_, "GET", "/admin/stats", {});
}

Ended Shop::command(std::vector<std::string> arguments) {
  std::vector<std::string> words{programs_ + "/nightdrop", "--config", config_file()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return run_program(words, path("log/nightdrop.log"));
}

PosClient Shop::connect() const {
  auto client = PosClient::connect(text_of(reader_->ready()["pos_socket"]));
  if (!client) throw StoryFailure("the reader's POS socket cannot be reached");
  return std::move(*client);
}

}  // namespace nightdrop::simulator

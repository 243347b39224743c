#include "tests/bench/reader.hpp"

#include <chrono>
#include <fstream>

namespace nightdrop::bench {
namespace {

std::string policy_without_caps() {
  return R"({"version":1,"device_count":100000000,"per_card_count":100000000,"forward_deadline_s":86400,)"
         R"("storing_window_s":86400,"currencies":{"usd":{"per_transaction":99999999,"device_total":100000000000,)"
         R"("per_card_total":100000000000,"refund_total":10000,"approval_threshold":null}}})";
}

}  // namespace

Reader::Reader(std::string binaries, std::filesystem::path dir, int acquirer_port)
    : binaries_(std::move(binaries)), dir_(std::move(dir)) {
  const auto policy = dir_.string() + ".policy.json";
  std::ofstream(policy) << policy_without_caps();
  const Process made({program("nightdrop-provision"), "dev", "--out", dir_.string(), "--policy", policy,
                      "--acquirer-url", "https://127.0.0.1:" + std::to_string(acquirer_port)});
}

void Reader::start() {
  daemon_.emplace(std::vector<std::string>{program("nightdropd"), "--config", (dir_ / "nightdrop.json").string()});
}

double Reader::start_seconds() {
  const auto begin = std::chrono::steady_clock::now();
  start();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

PosClient Reader::connect(const char* socket) const {
  auto client = PosClient::connect((dir_ / socket).string());
  if (!client) {
    std::fprintf(stderr, "bench: %s: %s\n", socket, client.error().text);
    std::exit(1);
  }
  return std::move(*client);
}

Json call(PosClient& client, const char* method, const std::string& params) {
  const auto answer = client.call(method, params);
  if (!answer) {
    std::fprintf(stderr, "bench: %s: %s %s\n", method, answer.error().error.text, answer.error().answer.c_str());
    std::exit(1);
  }
  auto json = Json::parse(*answer);
  return json ? std::move(*json) : Json::object();
}

std::string collected(PosClient& pos, PosClient& world, const std::string& reference) {
  const Json intent = call(pos, "create_payment_intent",
                           R"({"amount":1250,"currency":"usd","merchant_reference":")" + reference + "\"}");
  const std::string id(*intent["id"].string());
  call(world, "present_card", R"({"card":"visa_contactless"})");
  call(pos, "collect_payment_method", R"({"id":")" + id + "\"}");
  return id;
}

void confirm(PosClient& pos, const std::string& id) {
  const Json stored = call(pos, "confirm_payment_intent", R"({"id":")" + id + "\"}");
  if (stored["status"].string() != "stored") {
    std::fprintf(stderr, "bench: a payment was not stored\n");
    std::exit(1);
  }
}

}  // namespace nightdrop::bench

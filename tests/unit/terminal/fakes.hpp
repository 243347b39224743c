// Ports of the terminal, faked by hand: a card reader that reads what it is given, a vault with toy keys, links and a
// host that a test moves as it likes. Nothing here has a clock or a thread of its own.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hal/card_reader.hpp"
#include "hal/entropy.hpp"
#include "hal/host_link.hpp"
#include "hal/indicator.hpp"
#include "hal/key_vault.hpp"
#include "hal/link_monitor.hpp"
#include "hal/sim/sim_clock.hpp"
#include "nightdrop/time_text.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::test {

class FakeEntropy final : public hal::Entropy {
 public:
  Result<void> fill(std::span<std::uint8_t> bytes) override {
    if (fails) return failure(Errc::Unavailable, "no random bytes");
    for (std::uint8_t& byte : bytes) {
      state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
      byte = static_cast<std::uint8_t>(state_ >> 56);
    }
    return {};
  }
  bool fails{false};

 private:
  std::uint64_t state_{42};
};

// Toy keys: the envelope holds a mark instead of a ciphertext, the PIN of every approver is 2468.
class FakeVault final : public hal::KeyVault {
 public:
  Result<Envelope> seal_card(std::span<const std::uint8_t>, std::string_view aad, std::span<const std::uint8_t> pin,
                             std::span<const std::uint8_t>) override {
    if (erased != hal::VaultState::Ready) return failure(Errc::Unavailable, "the card keys were erased");
    if (exhausted_) return failure(Errc::CounterExhausted, "no more keys");
    if (fails) return failure(Errc::Unavailable, "the vault's file cannot be written");
    ++counter_;
    aads.emplace_back(aad);
    Envelope envelope;
    for (std::size_t i = 0; i < 4; ++i) envelope.ksn[11 - i] = static_cast<std::uint8_t>(counter_ >> (8 * i));
    envelope.ciphertext.assign(64, static_cast<std::uint8_t>(counter_));
    if (!pin.empty()) envelope.pin_block.assign(16, 0x44);
    return envelope;
  }
  hal::VaultMarks marks() const override { return {initial_key_id, counter_, generation}; }
  bool exhausted() const override { return exhausted_; }
  Result<void> resume(const hal::QueueMarks& queue, hal::Older accepted) override {
    resumed_with = queue;
    accepts = accepted;
    if (refuses_resume != nullptr && accepted == hal::Older::Refuse) return failure(Errc::RolledBack, refuses_resume);
    counter_ = std::max(counter_, queue.counter);
    return {};
  }
  void erase_spent_keys(std::uint64_t committed_journal_seq) override {
    ++erasures;
    noted_seq = committed_journal_seq;
  }
  Result<hal::PossessionProof> prove(std::span<const std::uint8_t>) override {
    return failure(Errc::Unsupported, "toy keys prove nothing");
  }
  // The toy block of a next key.
  static constexpr const char* good_block = "a good key block";
  Result<void> rekey(std::string_view block) override {
    if (fails) return failure(Errc::Unavailable, "the vault's file cannot be written");
    if (block != good_block) return failure(Errc::WrongKey, "the key block's MAC differs");
    ++initial_key_id[7];
    ++generation;
    counter_ = 0;
    return {};
  }
  Result<void> erase_card_keys() override {
    if (erased == hal::VaultState::Ready) erased = hal::VaultState::CardKeysErased;
    if (fails) return failure(Errc::Io, "the disk said no");
    return {};
  }
  Result<void> erase() override {
    if (fails) return failure(Errc::Io, "the disk said no");
    erased = hal::VaultState::Erased;
    return {};
  }
  hal::VaultState state() const override { return erased; }
  Result<std::string> fingerprint(std::span<const std::uint8_t> pan) override {
    std::uint64_t hash = 0xCBF29CE484222325ULL;
    for (const std::uint8_t digit : pan) hash = (hash ^ digit) * 0x100000001B3ULL;
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "fp_%016llx%016llx", static_cast<unsigned long long>(hash),
                  static_cast<unsigned long long>(~hash));
    return std::string(text.data());
  }
  Result<std::vector<std::uint8_t>> sign(std::span<const std::uint8_t>) override {
    if (erased == hal::VaultState::Erased) return failure(Errc::Unavailable, "the vault was erased");
    return std::vector<std::uint8_t>(70, 0x30);
  }
  Result<std::vector<std::uint8_t>> sign_digest(std::span<const std::uint8_t>) override {
    return std::vector<std::uint8_t>(70, 0x30);
  }
  Result<void> with_queue_key(const std::function<Result<void>(std::span<const std::uint8_t, 32>)>&) override {
    return {};
  }
  void check_pin(SecretBytes pin, std::vector<std::uint8_t>, std::vector<std::uint8_t>, std::uint32_t,
                 std::function<void(bool)> done) override {
    const std::string digits(reinterpret_cast<const char*>(pin.view().data()), pin.size());
    checks.emplace_back(digits == "2468", std::move(done));
  }

  bool fails{false};
  bool exhausted_{false};
  int erasures{0};
  std::array<std::uint8_t, 8> initial_key_id{1, 2, 3, 4, 5, 6, 7, 8};
  std::uint64_t generation{1};
  std::uint64_t noted_seq{0};
  hal::QueueMarks resumed_with;
  hal::Older accepts{hal::Older::Refuse};
  const char* refuses_resume{nullptr};  // the text of RolledBack
  hal::VaultState erased{hal::VaultState::Ready};
  std::vector<std::string> aads;
  std::deque<std::pair<bool, std::function<void(bool)>>> checks;  // answered by Bench::run()

 private:
  std::uint32_t counter_{0};
};

class FakeReader final : public hal::CardReader {
 public:
  void start(const hal::CardRequest& asked, hal::CardListener& told) override {
    request = asked;
    listener = &told;
  }
  void cancel() override { canceled = true; }

  hal::CardRequest request;
  hal::CardListener* listener{nullptr};
  bool canceled{false};
};

class FakeLinks final : public hal::LinkMonitor {
 public:
  std::vector<hal::LinkState> links() const override {
    std::vector<hal::LinkState> all;
    for (const auto& [route, up] : states) all.push_back({route, up, std::nullopt});
    return all;
  }
  void on_change(std::function<void(const hal::LinkState&)> changed) override { changed_ = std::move(changed); }
  void set(Route route, bool up) {
    states[route] = up;
    if (changed_) changed_({route, up, std::nullopt});
  }
  std::map<Route, bool> states;

 private:
  std::function<void(const hal::LinkState&)> changed_;
};

class FakeIndicator final : public hal::Indicator {
 public:
  void show(hal::Indication indication) override { shown = indication; }
  hal::Indication shown{hal::Indication::Idle};
};

// Requests wait here until the test, or `answer`, says how each ends.
class FakeHost final : public hal::HostLink {
 public:
  struct Sent {
    hal::HostRequest request;
    std::function<void(hal::HostOutcome)> done;
    std::int64_t until_ms{0};
  };
  explicit FakeHost(const hal::Clock& clock) : clock_(clock) {}

  void send(hal::HostRequest request, std::function<void(hal::HostOutcome)> done) override {
    const std::int64_t until = clock_.monotonic().count() + request.timeout.count();
    if (request.path != "/v1/capabilities") log.push_back(request);
    if (request.path == "/v1/capabilities") ++probes;
    waiting.push_back({std::move(request), std::move(done), until});
    most_at_once = std::max(most_at_once, waiting.size());
  }
  void drop_route(Route route) override { dropped.push_back(route); }

  // Ends what `answer` has an outcome for, and what has timed out. True if any ended.
  bool deliver() {
    std::deque<Sent> now = std::move(waiting);
    waiting.clear();
    bool any = false;
    for (Sent& sent : now) {
      std::optional<hal::HostOutcome> outcome = answer ? answer(sent.request) : std::nullopt;
      if (!outcome && clock_.monotonic().count() >= sent.until_ms) outcome = hal::Unknown{"timed out", true};
      if (!outcome) {
        waiting.push_back(std::move(sent));
        continue;
      }
      any = true;
      sent.done(std::move(*outcome));
    }
    return any;
  }
  std::optional<std::int64_t> next_timeout_ms() const {
    std::optional<std::int64_t> next;
    for (const Sent& sent : waiting) next = std::min(next.value_or(sent.until_ms), sent.until_ms);
    return next;
  }
  // The requests to a path of this beginning.
  std::vector<hal::HostRequest> sent_to(std::string_view method, std::string_view path) const {
    std::vector<hal::HostRequest> found;
    for (const auto& request : log) {
      if (request.method == method && request.path.starts_with(path)) found.push_back(request);
    }
    return found;
  }

  std::function<std::optional<hal::HostOutcome>(const hal::HostRequest&)> answer;
  std::deque<Sent> waiting;
  std::vector<hal::HostRequest> log;  // probes left out
  std::size_t most_at_once{0};
  int probes{0};
  std::vector<Route> dropped;

 private:
  const hal::Clock& clock_;
};

inline std::string header(const hal::HostRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return "";
}

}  // namespace nightdrop::test

// The ports of the simulated world that need no more than a few lines: keys that are none, links that are switched by
// hand, bytes out of the run's own chance.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "hal/entropy.hpp"
#include "hal/key_vault.hpp"
#include "hal/link_monitor.hpp"
#include "nightdrop/encoding.hpp"
#include "simulation/world/chance.hpp"

namespace nightdrop::simulation {

class FakeEntropy final : public hal::Entropy {
 public:
  explicit FakeEntropy(Chance& chance) : chance_(chance) {}
  Result<void> fill(std::span<std::uint8_t> bytes) override {
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(chance_.bits());
    return {};
  }

 private:
  Chance& chance_;
};

// Keeps no counter of its own: what the queue committed is all it knows after a start, so a KSN that left the box
// before its commit is handed out twice and seen at the acquirer.
class FakeVault final : public hal::KeyVault {
 public:
  using Post = std::function<void(std::function<void()>)>;
  FakeVault(Post post, std::function<bool()> fault) : post_(std::move(post)), fault_(std::move(fault)) {}

  Result<Envelope> seal_card(std::span<const std::uint8_t> plaintext, std::string_view,
                             std::span<const std::uint8_t> online_pin, std::span<const std::uint8_t>) override {
    if (fault_()) return failure(Errc::Unavailable, "the vault fails (simulated)");
    ++counter_;
    Envelope envelope;
    envelope.ksn = {0x4E, 0x44, 0, 0, 0, 0, 0, 1};
    for (std::size_t i = 0; i < 4; ++i) envelope.ksn[8 + i] = static_cast<std::uint8_t>(counter_ >> (24 - 8 * i));
    envelope.ciphertext.assign(plaintext.size() + 16, static_cast<std::uint8_t>(counter_));
    if (!online_pin.empty()) envelope.pin_block.assign(16, 0xAA);
    return envelope;
  }
  hal::VaultMarks marks() const override { return {{0x4E, 0x44, 0, 0, 0, 0, 0, 1}, counter_, 1}; }
  bool exhausted() const override { return false; }
  Result<void> resume(const hal::QueueMarks& queue, hal::Older) override {
    if (queue.queue_was_lost) unsafe("the queue was lost", "the store said so at a start");
    counter_ = queue.counter;
    return {};
  }
  void erase_spent_keys(std::uint64_t) override {}
  Result<hal::PossessionProof> prove(std::span<const std::uint8_t>) override {
    return failure(Errc::Unsupported, "toy keys prove nothing");
  }
  Result<void> rekey(std::string_view) override { return failure(Errc::Unsupported, "toy keys stay"); }
  Result<void> erase_card_keys() override { return failure(Errc::Unsupported, "toy keys stay"); }
  Result<void> erase() override { return failure(Errc::Unsupported, "toy keys stay"); }
  hal::VaultState state() const override { return hal::VaultState::Ready; }
  Result<std::string> fingerprint(std::span<const std::uint8_t> pan) override {
    std::array<std::uint8_t, 16> digest{};
    std::uint64_t hash = 14695981039346656037ULL;
    for (const std::uint8_t digit : pan) hash = (hash ^ digit) * 1099511628211ULL;
    for (std::size_t i = 0; i < digest.size(); ++i) digest[i] = static_cast<std::uint8_t>(hash >> (i % 8 * 8));
    return "fp_" + hex_lower(digest);
  }
  Result<std::vector<std::uint8_t>> sign(std::span<const std::uint8_t>) override {
    return std::vector<std::uint8_t>(8, 0x30);
  }
  Result<std::vector<std::uint8_t>> sign_digest(std::span<const std::uint8_t>) override {
    return std::vector<std::uint8_t>(8, 0x30);
  }
  Result<void> with_queue_key(const std::function<Result<void>(std::span<const std::uint8_t, 32>)>& use) override {
    std::array<std::uint8_t, 32> key{};
    key.fill(0x5A);
    return use(key);
  }
  void check_pin(SecretBytes pin, std::vector<std::uint8_t>, std::vector<std::uint8_t>, std::uint32_t,
                 std::function<void(bool)> done) override {
    const bool matches = std::string_view(reinterpret_cast<const char*>(pin.view().data()), pin.size()) == "2468";
    post_([done = std::move(done), matches] { done(matches); });
  }

 private:
  Post post_;
  std::function<bool()> fault_;
  std::uint32_t counter_{0};
};

class FakeLinks final : public hal::LinkMonitor {
 public:
  explicit FakeLinks(FakeVault::Post post) : post_(std::move(post)) {}
  std::vector<hal::LinkState> links() const override {
    std::vector<hal::LinkState> all;
    for (const auto& [route, up] : up_) all.push_back({route, up, std::nullopt});
    return all;
  }
  void on_change(std::function<void(const hal::LinkState&)> changed) override { changed_ = std::move(changed); }
  bool up(Route route) const { return up_.at(route); }
  void set(Route route, bool up) {
    if (up_[route] == up) return;
    up_[route] = up;
    post_([this, route, up] {
      if (changed_) changed_({route, up, std::nullopt});
    });
  }
  void forget_listener() { changed_ = nullptr; }

 private:
  FakeVault::Post post_;
  std::map<Route, bool> up_{{Route::Wifi, true}, {Route::Cellular, false}};
  std::function<void(const hal::LinkState&)> changed_;
};

}  // namespace nightdrop::simulation

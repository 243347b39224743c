// What the card reader's tests share: a loop that runs what was posted, entropy that counts, and a listener that writes
// down what it hears as words.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hal/sim/card_reader.hpp"

namespace nightdrop::hal {

class CountingEntropy final : public Entropy {
 public:
  Result<void> fill(std::span<std::uint8_t> bytes) override {
    if (failing) return failure(Errc::Io, "no entropy");
    for (auto& byte : bytes) byte = ++next_;
    return {};
  }
  bool failing{false};

 private:
  std::uint8_t next_{0};
};

class CardBench : public CardListener {
 public:
  CardBench()
      : reader(entropy, [this](std::function<void()> call) { posted.push_back(std::move(call)); }, "ND000001") {}

  // Runs one posted call. False if there is none.
  bool turn() {
    if (posted.empty()) return false;
    auto call = std::move(posted.front());
    posted.pop_front();
    call();
    return true;
  }
  void run() {
    while (turn()) {
    }
  }
  // Turns until this was heard, or nothing is left to do.
  void run_until(const std::string& word) {
    while ((heard.empty() || heard.back() != word) && turn()) {
    }
  }
  void start() { reader.start(request, *this); }
  // Presents the card to a fresh prompt and runs to the end.
  CardOutcome meet(const CardSpec& card) {
    heard.clear();
    outcome.reset();
    reader.present(card);
    start();
    run();
    ND_ASSERT(outcome.has_value());
    return std::move(*outcome);
  }

  void on_prompt(Prompt prompt) override {
    constexpr std::array words{"insert_or_tap", "remove_card", "try_again", "enter_pin", "use_chip"};
    heard.emplace_back(words[static_cast<std::size_t>(prompt)]);
  }
  void on_card_inserted() override { heard.emplace_back("inserted"); }
  void on_card_removed() override { heard.emplace_back("removed"); }
  void on_card_outcome(CardOutcome value) override {
    heard.emplace_back("outcome");
    ++outcomes;
    outcome = std::move(value);
    if (on_outcome) on_outcome();
  }

  std::deque<std::function<void()>> posted;
  CountingEntropy entropy;
  SimCardReader reader;
  CardRequest request{
      Amount{1250, Currency{}}, ObjectKind::PaymentIntent, {true, true, true, true, true}, 1'795'290'003'123};
  std::vector<std::string> heard;
  std::optional<CardOutcome> outcome;
  int outcomes{0};
  std::function<void()> on_outcome;
};

}  // namespace nightdrop::hal

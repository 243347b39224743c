// The simulated card reader: plays a card of the catalogue, or one given by its number, against the port's rules, with
// the prompts and events a customer would cause. A presented card waits until a prompt is open; one waits at most, and
// a new one takes its place. Every call to the listener goes through `post`, one step a turn of the loop, so that a
// cancel or a card taken away can come between any two steps; none is made from inside start() or cancel().
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "hal/card_reader.hpp"
#include "hal/entropy.hpp"
#include "hal/sim/card_catalogue.hpp"

namespace nightdrop::hal {

struct CardPresentation {
  int repeat{1};               // how many interactions the card is there for, one after another
  bool leave_inserted{false};  // an inserted card stays in until remove()
};

class SimCardReader final : public CardReader {
 public:
  // Runs its argument later, on the loop's thread, in the order of the calls; never at once.
  using Post = std::function<void(std::function<void()>)>;

  struct State {
    bool open{false};              // an interaction is under way
    std::optional<Prompt> prompt;  // the last one of that interaction
    bool card_inserted{false};
    std::string waiting_card;  // name of the card that waits for a prompt; empty if none
    int waiting_count{0};      // for how many interactions
  };

  // Lifetime: `entropy` outlives the reader; what was posted does nothing once the reader is gone.
  SimCardReader(Entropy& entropy, Post post, std::string terminal_serial);

  void start(const CardRequest& request, CardListener& listener) override;
  // Ends the interaction in CardFailed Canceled, unless its outcome is already delivered. Without one: nothing.
  void cancel() override;

  // As if a customer did it. Requires: presentation.repeat >= 1.
  void present(CardSpec card, CardPresentation presentation = {});
  // The same by a name of the catalogue. Errors: NotFound.
  Result<void> present(std::string_view name, CardPresentation presentation = {});
  // Takes the card away: out of the slot, before it was read as a failed read; or back from waiting.
  void remove();

  State state() const;

 private:
  enum class Step : std::uint8_t {
    InsertOrTap,
    TryAgain,
    EnterPin,
    UseChip,
    RemoveCard,
    Inserted,
    AwaitRemoval,
    Removed,
    Outcome,
  };
  struct Waiting {
    CardSpec card;
    CardPresentation presentation;
  };

  void schedule();
  void run_next();
  void take_waiting_card();
  void meet(const CardSpec& card, bool leave_inserted);
  CardOutcome read(const CardSpec& card);
  void perform(Step step);
  void prompt(Prompt prompt);
  void finish(CardOutcome outcome);

  Entropy& entropy_;
  Post post_;
  std::string terminal_serial_;
  std::shared_ptr<const bool> alive_;  // posted calls hold a weak reference: the loop may outlive the reader
  bool scheduled_{false};

  CardListener* listener_{nullptr};  // null: no interaction
  CardRequest request_;
  std::deque<Step> script_;
  CardOutcome decided_{CardFailed{}};  // what Step::Outcome will deliver
  bool canceled_{false};
  bool inserted_{false};
  bool read_{false};     // the card has answered: taking it away no longer matters
  bool removed_{false};  // a customer took out a card that was to stay in
  std::optional<Prompt> shown_;
  std::optional<Waiting> waiting_;
  std::map<std::string, std::uint16_t, std::less<>> counters_;  // ATC by card number
};

}  // namespace nightdrop::hal

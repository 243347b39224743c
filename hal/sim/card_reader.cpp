// An interaction is a script of steps, written when the card meets the reader and played one step a turn of the loop.
#include "hal/sim/card_reader.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "emv/track2.hpp"
#include "hal/sim/card_kernel.hpp"

namespace nightdrop::hal {

SimCardReader::SimCardReader(Entropy& entropy, Post post, std::string terminal_serial)
    : entropy_(entropy),
      post_(std::move(post)),
      terminal_serial_(std::move(terminal_serial)),
      alive_(std::make_shared<const bool>(true)) {}

void SimCardReader::start(const CardRequest& request, CardListener& listener) {
  ND_ASSERT(listener_ == nullptr);
  listener_ = &listener;
  request_ = request;
  script_ = {Step::InsertOrTap};
  schedule();
}

void SimCardReader::cancel() {
  if (listener_ == nullptr) return;
  canceled_ = true;
  schedule();
}

void SimCardReader::present(CardSpec card, CardPresentation presentation) {
  ND_ASSERT(presentation.repeat >= 1);
  waiting_ = Waiting{std::move(card), presentation};
  if (listener_ != nullptr) schedule();
}

Result<void> SimCardReader::present(std::string_view name, CardPresentation presentation) {
  const CardSpec* card = find_card(name);
  if (card == nullptr) return failure(Errc::NotFound, "The catalogue has no card of this name.");
  present(*card, presentation);
  return {};
}

void SimCardReader::remove() {
  if (!inserted_) {
    waiting_.reset();
    return;
  }
  if (read_) {
    removed_ = true;
  } else {
    decided_ = CardFailed{CardFailure::Removed};
    script_ = {Step::Removed, Step::Outcome};
  }
  schedule();
}

SimCardReader::State SimCardReader::state() const {
  State state;
  state.open = listener_ != nullptr;
  state.prompt = shown_;
  state.card_inserted = inserted_;
  if (waiting_) {
    state.waiting_card = waiting_->card.name;
    state.waiting_count = waiting_->presentation.repeat;
  }
  return state;
}

void SimCardReader::schedule() {
  if (scheduled_) return;
  scheduled_ = true;
  post_([this, alive = std::weak_ptr<const bool>(alive_)] {
    if (alive.expired()) return;
    scheduled_ = false;
    run_next();
  });
}

void SimCardReader::run_next() {
  if (listener_ == nullptr) return;
  if (canceled_) {
    if (std::exchange(inserted_, false)) listener_->on_card_removed();
    finish(CardFailed{CardFailure::Canceled});
    return;
  }
  if (script_.empty()) take_waiting_card();
  if (script_.empty()) return;
  const Step step = script_.front();
  if (step == Step::AwaitRemoval && !removed_) return;  // remove() goes on
  script_.pop_front();
  if (step != Step::Outcome) schedule();  // before the listener is called, which may end all this
  perform(step);
}

void SimCardReader::take_waiting_card() {
  if (!waiting_) return;
  const CardSpec card = waiting_->card;
  const bool leave_inserted = waiting_->presentation.leave_inserted;
  if (--waiting_->presentation.repeat == 0) waiting_.reset();
  meet(card, leave_inserted);
}

// Writes the script for this card. What it will end in is decided here; the prompts only tell the story.
void SimCardReader::meet(const CardSpec& card, bool leave_inserted) {
  read_ = false;
  removed_ = false;
  if (card.read_method == ReadMethod::MagneticStripeTrack2 && emv::has_chip(card.service_code)) {
    script_ = {Step::UseChip};  // and wait for the card in its other end
    return;
  }
  if (card.behavior == CardBehavior::RemovedEarly) {
    decided_ = CardFailed{CardFailure::Removed};
    script_ = {Step::Inserted, Step::Removed, Step::Outcome};
    return;
  }
  const bool allowed = request_.allowed[static_cast<std::size_t>(card.read_method)];
  decided_ =
      allowed ? read(card) : CardOutcome(CardRefused{CardRefusal::EntryNotAllowed, summary_of(card, card.read_method)});
  if (card.behavior == CardBehavior::ChipFails) {
    script_ = {Step::Inserted, Step::RemoveCard, Step::Removed, Step::TryAgain, Step::Outcome};
  } else if (card.read_method == ReadMethod::ContactEmv) {
    script_ = {Step::Inserted};
    const bool pin =
        card.verification == CardVerification::OfflinePin || card.verification == CardVerification::OnlinePin;
    if (pin && allowed) script_.push_back(Step::EnterPin);
    script_.push_back(Step::RemoveCard);
    if (leave_inserted) script_.push_back(Step::AwaitRemoval);
    script_.insert(script_.end(), {Step::Removed, Step::Outcome});
  } else {
    script_ = {Step::Outcome};
  }
}

CardOutcome SimCardReader::read(const CardSpec& card) {
  switch (card.read_method) {
    case ReadMethod::MagneticStripeTrack2:
    case ReadMethod::MagneticStripeFallback: return read_stripe(card, request_.now);
    case ReadMethod::Keyed: return read_keyed(card, request_.now);
    case ReadMethod::ContactEmv:
    case ReadMethod::ContactlessEmv: break;
  }
  KernelInput input;
  input.now = request_.now;
  input.amount = request_.amount;
  input.kind = request_.kind;
  input.terminal_serial = terminal_serial_;
  if (!entropy_.fill(input.unpredictable)) return CardFailed{CardFailure::Unreadable};
  input.atc = ++counters_[card.pan];
  return read_chip(card, input);
}

void SimCardReader::perform(Step step) {
  switch (step) {
    case Step::InsertOrTap: return prompt(Prompt::InsertOrTap);
    case Step::TryAgain: return prompt(Prompt::TryAgain);
    case Step::EnterPin: return prompt(Prompt::EnterPin);
    case Step::UseChip: return prompt(Prompt::UseChip);
    case Step::RemoveCard: read_ = true; return prompt(Prompt::RemoveCard);
    case Step::AwaitRemoval: return;
    case Step::Inserted: inserted_ = true; return listener_->on_card_inserted();
    case Step::Removed: inserted_ = false; return listener_->on_card_removed();
    case Step::Outcome: return finish(std::exchange(decided_, CardFailed{}));
  }
}

void SimCardReader::prompt(Prompt prompt) {
  shown_ = prompt;
  listener_->on_prompt(prompt);
}

// Ends the interaction before the listener hears of it, so that it may start the next one from there.
void SimCardReader::finish(CardOutcome outcome) {
  CardListener& listener = *std::exchange(listener_, nullptr);
  script_.clear();
  decided_ = CardFailed{};
  canceled_ = false;
  shown_.reset();
  listener.on_card_outcome(std::move(outcome));
}

}  // namespace nightdrop::hal

#include "terminal/tamper.hpp"

namespace nightdrop::terminal {

void TamperResponse::begin() {
  card_keys_left_ = !books_.ports().vault.erase_card_keys().has_value();
  due_ms_ = books_.mono_ms();
  if (step_ != Step::None) return;
  step_ = books_.tampered_before() ? Step::Export : Step::Journal;
  books_.close();
  checkout_.shut();
}

// What was written in this turn counts when it is durable; until then tick() waits.
void TamperResponse::when_durable(Step from, Step to) {
  books_.then([this, from, to](bool durable) {
    step_ = durable ? to : from;
    due_ms_ = books_.mono_ms() + (durable ? 0 : retry_ms);
  });
}

Result<void> TamperResponse::note() {
  ND_TRY(books_.write([&] { return books_.note_tampered(); }));
  step_ = Step::Noted;
  when_durable(Step::Journal, Step::Export);
  return {};
}

Result<void> TamperResponse::write_export() {
  const ExportHeader header{books_.policy().livemode, books_.now(), books_.settings().certificate_pem};
  auto made = write_sealed_export(books_.ports().store, books_.ports().vault, books_.settings().merchant, header,
                                  books_.settings().sha256);
  if (!made) return std::unexpected(made.error());
  // One file, however often the commit fails: a copy each second would fill the disk that the erasure waits for.
  if (!kept_ || kept_->content != made->content) {
    ND_TRY(books_.settings().keep_export(*made, header.created));
    kept_ = std::move(*made);
  }
  ND_TRY(books_.write([&] { return books_.note_export(*kept_); }));
  sealed_ = kept_;
  step_ = Step::Exported;
  when_durable(Step::Export, Step::Erase);
  return {};
}

void TamperResponse::tick() {
  const bool waits_for_the_turn = step_ == Step::Noted || step_ == Step::Exported;
  // An open turn may still be lost, and what the export holds must be true.
  if (step_ == Step::None || books_.mono_ms() < due_ms_ || waits_for_the_turn || books_.pending()) return;
  if (card_keys_left_) card_keys_left_ = !books_.ports().vault.erase_card_keys().has_value();
  Result<void> done;
  switch (step_) {
    case Step::Journal: done = note(); break;
    case Step::Export: done = write_export(); break;
    case Step::Erase:
      done = books_.ports().vault.erase();
      if (done) step_ = Step::Done;
      break;
    case Step::None:
    case Step::Noted:
    case Step::Exported:
    case Step::Done: break;
  }
  if (!done) due_ms_ = books_.mono_ms() + retry_ms;
}

std::optional<std::int64_t> TamperResponse::next_tick_ms() const {
  if (step_ == Step::None || step_ == Step::Done || step_ == Step::Noted || step_ == Step::Exported)
    return std::nullopt;
  return due_ms_;
}

}  // namespace nightdrop::terminal

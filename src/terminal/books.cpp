#include "terminal/books.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

#include "engine/settle.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/time_text.hpp"
#include "nightdrop/words.hpp"
#include "report/objects.hpp"

namespace nightdrop::terminal {
namespace {
constexpr std::uint64_t checkpoint_every = 1'000;
constexpr std::uint64_t checkpoint_again = 100;  // events, after a signature that failed
}  // namespace

Books::Books(const Ports& ports, const Policy& policy, const Settings& settings)
    : ports_(ports), policy_(&policy), settings_(settings), boot_id_(ports.clock.boot_id()) {}

Result<void> Books::open() {
  ND_TRY(load_state());
  ND_TRY(resume_vault());
  const engine::TimeMemory memory{state_.time_high, state_.boot_id, state_.mono_ms, state_.clock_trusted,
                                  state_.untrusted_for_ms};
  time_.emplace(memory, boot_id_, reading(), policy_->valid_from);
  was_trusted_ = state_.clock_trusted;
  // Untrusted in the last boot and in this one: times taken then and times taken now lag by different amounts.
  const bool same_boot = state_.boot_id == boot_id_ && reading().mono_ms >= state_.mono_ms;
  new_spell_ = !same_boot && !was_trusted_ && !time_->trusted();
  const std::int64_t from_version =
      std::exchange(state_.policy_version, std::max(state_.policy_version, policy_->version));
  const auto points = ports_.store.last_event();
  if (!points) return std::unexpected(points.error());
  last_checkpoint_ = points->seq - points->seq % checkpoint_every;
  // A rekey() whose turn a crash has cut off is told of now.
  const auto before = state_.initial_key_id;
  const bool known = before != decltype(before){};
  if (known && before != ports_.vault.marks().initial_key_id && ports_.vault.state() == hal::VaultState::Ready)
    ND_TRY(write([&] { return journal_keys(before, state_.dukpt_counter); }));
  // What was accepted is committed at once: from here on the queue knows an older copy of this vault for one.
  if (settings_.accepted_copies != hal::Older::Refuse) {
    ND_TRY(ports_.store.begin());
    ND_TRY(write([&] { return accepted_older_.empty() ? journal_nothing_to_accept() : journal_accepted(); }));
  }
  if (from_version == 0 || from_version == policy_->version) return {};
  return write([&] { return journal_policy(policy_->version, from_version); });
}

Result<void> Books::resume_vault() {
  const auto last = ports_.store.last_event();
  if (!last) return std::unexpected(last.error());
  committed_seq_ = last->seq;
  const hal::StoreHealth health = ports_.store.health();
  hal::QueueMarks marks;
  marks.initial_key_id = state_.initial_key_id;
  marks.counter = state_.dukpt_counter;
  marks.journal_seq = last->seq;
  marks.vault_generation = state_.vault_generation;
  marks.queue_was_lost = health.was_lost || health.degraded;
  const auto resumed = ports_.vault.resume(marks, hal::Older::Refuse);
  const bool older = !resumed && resumed.error().code == Errc::RolledBack;
  if (!older || settings_.accepted_copies == hal::Older::Refuse) return resumed;
  ND_TRY(ports_.vault.resume(marks, settings_.accepted_copies));
  accepted_older_ = std::string_view(resumed.error().text) == hal::older_queue_text ? "queue" : "vault";
  return {};
}

Result<void> Books::journal_keys(const std::array<std::uint8_t, 8>& previous, std::uint32_t counter) {
  Json data = Json::object();
  data.set("initial_key_id", hex_upper(ports_.vault.marks().initial_key_id));
  data.set("previous_initial_key_id", hex_upper(previous));
  data.set("previous_counter", static_cast<std::uint64_t>(counter));
  return journal("keys.changed", std::move(data));
}

// Once the vault has skipped past whatever was spent; before that nothing may say that all is well.
Result<void> Books::journal_accepted() {
  const hal::VaultMarks now = ports_.vault.marks();
  Json data = Json::object();
  data.set("older", accepted_older_);
  data.set("initial_key_id", hex_upper(now.initial_key_id)).set("counter", static_cast<std::uint64_t>(now.counter));
  data.set("queue_counter", static_cast<std::uint64_t>(state_.dukpt_counter)).set("queue_seq", committed_seq_);
  return journal("rollback.accepted", std::move(data));
}

// A start that would have gone on with an older copy, had there been one: whoever left that word in a unit file has
// switched the refusal off, and shall read of it.
Result<void> Books::journal_nothing_to_accept() {
  const hal::Older given = settings_.accepted_copies;
  const char* named = given == hal::Older::AcceptBoth ? "both" : given == hal::Older::AcceptQueue ? "queue" : "vault";
  Json data = Json::object();
  data.set("accepted", named);
  return journal("rollback.not_needed", std::move(data));
}

Result<void> Books::load_state() {
  auto state = ports_.store.device_state();
  if (!state) return std::unexpected(state.error());
  state_ = std::move(*state);
  return {};
}

// --- time ---

engine::TimeReading Books::reading() const {
  const hal::WallReading wall = ports_.clock.wall();
  return {ports_.clock.monotonic().count(), wall.utc_ms, wall.trusted};
}

UtcMs Books::now() {
  return time_->now(reading());
}

engine::ClockState Books::clock() {
  const engine::TimeReading read = reading();
  const UtcMs at = time_->now(read);
  return {at, time_->trusted(), time_->untrusted_for_ms(read)};
}

void Books::server_time(UtcMs time) {
  time_->correct(time, reading());
  watch_clock();
}

void Books::watch_clock() {
  const UtcMs at = now();
  const bool trusted = time_->trusted();
  pending_shift_ms_ += time_->take_correction();
  if (trusted == was_trusted_ && pending_shift_ms_ == 0 && !new_spell_) return;
  const std::uint64_t epoch = state_.time_epoch;
  const auto written = write([&]() -> Result<void> {
    if (new_spell_) ++state_.time_epoch;
    // Times of the untrusted spell were measured on a clock that was off by this much. What was taken in an earlier
    // boot's untrusted spell was off by less, nobody knows by how much less: it stays, and so is sent early, never
    // late.
    if (pending_shift_ms_ != 0) ND_TRY(ports_.store.shift_times(state_.time_epoch, pending_shift_ms_));
    if (trusted != was_trusted_ || pending_shift_ms_ != 0) ++state_.time_epoch;
    if (trusted || (!was_trusted_ && pending_shift_ms_ == 0)) return {};
    return journal(
        "clock.untrusted",
        std::move(
            Json::object().set("since", rfc3339(at)).set("stored_payments_allowed_s", policy_->untrusted_clock_s)));
  });
  if (!written) {
    state_.time_epoch = epoch;
    return;
  }
  const std::int64_t shifted_ms = std::exchange(pending_shift_ms_, 0);
  const bool before = std::exchange(was_trusted_, trusted);
  const bool new_spell = std::exchange(new_spell_, false);
  then([this, epoch, shifted_ms, before, new_spell](bool durable) {
    if (durable) return;
    state_.time_epoch = epoch;
    pending_shift_ms_ += shifted_ms;
    was_trusted_ = before;
    new_spell_ = new_spell;
  });
}

// --- the turn ---

Result<void> Books::begin_decision() {
  // What was decided before in this turn is gone: nothing may be added to it as if it were not.
  if (turn_lost_) return failure(Errc::Unavailable, "the turn was lost");
  ND_TRY(ports_.store.begin());
  return ports_.store.mark();
}

void Books::undo_decision() {
  if (ports_.store.rollback_to_mark()) return;
  ports_.store.rollback();
  turn_lost_ = true;
}

Result<void> Books::write(const std::function<Result<void>()>& decision) {
  ND_TRY(begin_decision());
  auto done = decision();
  if (!done) undo_decision();
  return done;
}

Result<void> Books::write_state() {
  const engine::TimeMemory memory = time_->memory(reading());
  state_.time_high = memory.high;
  state_.boot_id = memory.boot_id;
  state_.mono_ms = memory.mono_ms;
  state_.clock_trusted = memory.trusted;
  state_.untrusted_for_ms = memory.untrusted_for_ms;
  // Also after a lost turn, which reads the state anew: a version that was in force is never forgotten.
  state_.policy_version = std::max(state_.policy_version, policy_->version);
  // A vault that has lost its numbers with its keys doesn't make the queue forget them.
  if (const hal::VaultMarks marks = ports_.vault.marks(); marks.generation != 0) {
    state_.initial_key_id = marks.initial_key_id;
    state_.dukpt_counter = marks.counter;
    state_.vault_generation = marks.generation;
  }
  ++state_.turn;
  return ports_.store.put_device_state(state_);
}

bool Books::finish_turn(const std::function<void()>& follow) {
  const bool durable = commit_turn();
  tell_due_ = tell_due_ || (durable && journalled_);
  journalled_ = false;
  std::vector<Effect> effects = std::move(effects_);
  effects_.clear();
  if (!durable) follow();
  for (Effect& effect : effects) effect(durable);
  return durable;
}

bool Books::commit_turn() {
  const bool lost = std::exchange(turn_lost_, false);
  if (!lost && !ports_.store.in_turn()) return true;
  Result<void> committed = lost ? failure(Errc::Unavailable, "the turn was lost") : write_state();
  const std::uint64_t turn = state_.turn;
  const std::uint64_t seq = last_seq();
  if (committed) committed = ports_.store.commit();
  if (committed) {
    committed_seq_ = seq;
    return true;
  }
  ports_.store.rollback();
  return landed_after_all(lost ? 0 : turn);
}

// What the disk holds after a failed commit is unknown until it is read again: the turn may be there whole.
bool Books::landed_after_all(std::uint64_t turn) {
  if (!ports_.store.reopen() || !load_state()) return false;
  if (turn == 0 || state_.turn != turn) return false;
  // It is in the log; one more commit makes sure that the log is on the disk.
  if (!ports_.store.begin() || !write_state() || !ports_.store.commit()) return false;
  committed_seq_ = last_seq();
  return true;
}

std::uint64_t Books::last_seq() {
  const auto last = ports_.store.last_event();
  return last ? last->seq : committed_seq_;
}

void Books::erase_spent_keys() {
  ports_.vault.erase_spent_keys(committed_seq_);
}

void Books::tell_events() {
  if (!tell_due_ || ports_.store.in_turn() || !events_told_) return;
  tell_due_ = false;
  events_told_();
}

// --- writes ---

Result<void> Books::save(Payment& payment) {
  if (payment.kind == ObjectKind::Refund && !payment.original_payment.empty()) ND_TRY(count_refund(payment));
  engine::set_exposure(payment);
  if (payment.stored_at && payment.time_epoch == 0) payment.time_epoch = state_.time_epoch;
  return ports_.store.put(payment);
}

// What a refund gives back is kept with the payment it refunds, so that no two refunds give back more than was paid.
Result<void> Books::count_refund(const Payment& refund) {
  const auto gives_back = [](const Payment& row) {
    return row.status == Status::Declined || row.status == Status::Canceled ||
                   row.status == Status::RequiresPaymentMethod
               ? 0
               : row.amount;
  };
  const auto row = ports_.store.find(refund.id);
  if (!row) return std::unexpected(row.error());
  const std::int64_t change = gives_back(refund) - (*row ? gives_back(**row) : 0);
  if (change == 0) return {};
  auto original = ports_.store.find(refund.original_payment);
  if (!original) return std::unexpected(original.error());
  if (!*original) return {};
  (*original)->refunded_amount += change;
  return save(**original);
}

Result<void> Books::record(Payment& payment) {
  ND_TRY(save(payment));
  return journal("payment_intent." + std::string(word(payment.status)), report::payment_json(payment));
}

Result<void> Books::order_reversal(const std::string& id, ReversalReason reason) {
  const auto under_way = ports_.store.find_reversal(id);
  if (!under_way) return std::unexpected(under_way.error());
  if (*under_way && !(*under_way)->done) return {};
  return ports_.store.put_reversal({id, reason, now()});
}

Result<void> Books::journal(std::string_view type, Json data) {
  const auto event = ports_.store.append(type, rfc3339(now()), data.dump());
  if (!event) return std::unexpected(event.error());
  journalled_ = true;
  // A checkpoint that fails is made with a later event; no payment waits for it.
  if (event->seq >= last_checkpoint_ + checkpoint_every && ports_.vault.state() != hal::VaultState::Erased)
    (void)checkpoint();
  return {};
}

Result<void> Books::checkpoint() {
  if (last_seq() == 0) return {};
  // The chain, and with the signature everybody who has the checkpoint, knows how far the keys had come.
  const hal::VaultMarks marks = ports_.vault.marks();
  Json data = Json::object();
  data.set("initial_key_id", hex_upper(marks.initial_key_id)).set("counter", static_cast<std::uint64_t>(marks.counter));
  data.set("generation", marks.generation);
  const auto head = ports_.store.append("vault.marks", rfc3339(now()), data.dump());
  if (!head) return std::unexpected(head.error());
  journalled_ = true;
  last_checkpoint_ = head->seq - checkpoint_every + checkpoint_again;  // unless it is signed
  const std::string message = "nightdrop-checkpoint\n" + settings_.merchant.serial_number + "\n" +
                              std::to_string(head->seq) + "\n" + hex_lower(head->hash);
  const auto signature = ports_.vault.sign({reinterpret_cast<const std::uint8_t*>(message.data()), message.size()});
  if (!signature) return std::unexpected(signature.error());
  last_checkpoint_ = head->seq;
  return ports_.store.add_checkpoint({head->seq, head->hash, *signature});
}

std::optional<PosError> Books::refuse_closed() const {
  if (!closed_) return std::nullopt;
  return PosError{.code = PosCode::ReaderTampered,
                  .message = "The reader was tampered with: its keys are erased and it takes no payments."};
}

Result<void> Books::note_tampered() {
  ND_TRY(journal("tamper.detected", Json::object()));
  state_.tampered_at = now();
  return {};
}

Result<void> Books::note_export(const SealedExport& made) {
  Json data = Json::object();
  data.set("count", made.payments).set("reversals", made.reversals).set("seq", made.journal_seq);
  ND_TRY(journal("payments.exported", std::move(data)));
  const auto head = ports_.store.last_event();
  if (!head) return std::unexpected(head.error());
  state_.exported_seq = head->seq;
  state_.exported = made.content;
  return {};
}

Result<void> Books::audit_refusal(const Payment& payment, PosCode code) {
  Json data = Json::object();
  data.set("id", payment.id).set("merchant_reference", payment.merchant_reference).set("amount", payment.amount);
  data.set("currency", payment.currency.view()).set("code", word(code));
  return journal("audit.refused", std::move(data));
}

Result<engine::Exposure> Books::exposure(const Payment& payment) {
  const auto totals = ports_.store.totals();
  if (!totals) return std::unexpected(totals.error());
  engine::Exposure exposure;
  exposure.count = totals->count;
  exposure.oldest_stored_at = totals->oldest_stored_at;
  exposure.fallbacks = state_.fallbacks_in_spell;
  if (const auto found = totals->by_currency.find(payment.currency); found != totals->by_currency.end()) {
    exposure.payments = found->second.payments;
    exposure.refunds = found->second.refunds;
  }
  if (payment.card && !payment.card->fingerprint.empty()) {
    const auto card = ports_.store.card_totals(payment.card->fingerprint, payment.currency);
    if (!card) return std::unexpected(card.error());
    exposure.card_total = card->total;
    exposure.card_count = card->count;
  }
  if (payment.counted) {
    (payment.kind == ObjectKind::Refund ? exposure.refunds : exposure.payments) -= payment.exposure;
    exposure.count -= 1;
    if (payment.kind == ObjectKind::PaymentIntent && payment.card) {
      exposure.card_total -= payment.exposure;
      exposure.card_count -= 1;
    }
  }
  return exposure;
}

Result<void> Books::report_limits(const engine::Exposure& before, const Payment& added) {
  const auto limits = policy_->currencies.find(added.currency);
  if (limits == policy_->currencies.end()) return {};
  const auto check = [&](const char* name, std::int64_t was, std::int64_t is, std::int64_t cap,
                         bool money) -> Result<void> {
    const auto tell = [&](const char* type) {
      Json data = Json::object();
      data.set("limit", name);
      if (money) {
        data.set("currency", added.currency.view());
      } else {
        data.set("currency", nullptr);
      }
      data.set("used", is).set("cap", cap);
      return journal(type, std::move(data));
    };
    if (was < cap && is >= cap) return tell("limit.reached");
    if (was * 5 < cap * 4 && is * 5 >= cap * 4) return tell("limit.near");
    return {};
  };
  if (added.kind == ObjectKind::Refund) {
    ND_TRY(check("refund_total", before.refunds, before.refunds + added.amount, limits->second.refund_total, true));
  } else {
    ND_TRY(check("device_total", before.payments, before.payments + added.amount, limits->second.device_total, true));
  }
  return check("device_count", before.count, before.count + 1, policy_->device_count, false);
}

// --- numbers ---

std::uint64_t Books::random() {
  std::array<std::uint8_t, 8> bytes{};
  entropy_failed_ = !ports_.entropy.fill(bytes);
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

std::string Books::new_payment_id() {
  // RFC 9562, 5.7: 48 bits of Unix time in ms, version 7, variant 10, the rest random. Within one millisecond the 12
  // bits behind the version count on from a random start (6.2, method 1), so that ids sort as they were made: lists are
  // newest first.
  std::array<std::uint8_t, 16> uuid{};
  entropy_failed_ = !ports_.entropy.fill(uuid);
  auto time = static_cast<std::uint64_t>(now());
  unsigned count = (uuid[6] & 0x07U) << 8U | uuid[7];
  if (time <= last_id_ms_) {
    time = last_id_ms_;
    count = last_id_count_ + 1;
    if (count > 0xFFF) {
      ++time;
      count = 0;
    }
  }
  last_id_ms_ = time;
  last_id_count_ = count;
  for (std::size_t i = 0; i < 6; ++i) uuid[i] = static_cast<std::uint8_t>(time >> (8 * (5 - i)));
  uuid[6] = static_cast<std::uint8_t>(0x70 | count >> 8U);
  uuid[7] = static_cast<std::uint8_t>(count);
  uuid[8] = static_cast<std::uint8_t>(0x80 | (uuid[8] & 0x3F));
  return "pi_" + hex_lower(uuid);
}

std::string Books::new_offline_reference() {
  constexpr std::string_view letters = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";  // no 0 O 1 I
  std::uint64_t bits = random();
  std::string reference;
  for (int i = 0; i < 10; ++i, bits >>= 5) reference.push_back(letters[bits & 31]);
  return reference;
}

void Books::identify_message(Payment& payment) {
  using namespace std::chrono;
  const UtcMs at = now();
  state_.stan = state_.stan % 999'999 + 1;
  payment.stan = state_.stan;
  const sys_time<milliseconds> utc{milliseconds(at)};
  const year_month_day date{floor<days>(utc)};
  const auto day_of_year = (floor<days>(utc) - sys_days(date.year() / January / 1)).count() + 1;
  const auto hour = duration_cast<hours>(utc - floor<days>(utc)).count();
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%01d%03d%02d%06u", static_cast<int>(date.year()) % 10,
                static_cast<int>(day_of_year), static_cast<int>(hour), payment.stan);
  payment.retrieval_reference_number = text.data();
  payment.local_transaction_time = rfc3339_local(at, settings_.utc_offset_minutes);
}

}  // namespace nightdrop::terminal

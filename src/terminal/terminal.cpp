#include "terminal/terminal.hpp"

#include <algorithm>

#include "engine/settle.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::terminal {
namespace {
constexpr std::int64_t tidy_after_ms = 250;  // erased card data leaves the write-ahead log this soon
constexpr std::int64_t prune_first_ms = 60'000;
constexpr std::int64_t prune_every_ms = 3'600'000;
constexpr int turns_max = 100;           // an end_turn()
constexpr std::size_t prune_rows = 200;  // a turn

PosError rekey_error(const Error& error) {
  const Errc code = error.code;
  if (code == Errc::CounterExhausted) {
    return {.code = PosCode::ReaderNotProvisioned,
            .message = "The present keys are used up and can't authenticate new ones: provision the reader anew."};
  }
  const bool the_block = code == Errc::Malformed || code == Errc::WrongKey || code == Errc::InvalidArgument ||
                         code == Errc::Unsupported || code == Errc::Conflict;
  if (!the_block)
    return {.code = PosCode::StoreUnavailable, .message = "The key vault failed; the present keys go on."};
  return {.code = PosCode::InvalidParams,
          .message = std::string("The key block is refused: ") + error.text + ".",
          .field = "key_block"};
}

const char* status_word(links::NetworkStatus status) {
  switch (status) {
    case links::NetworkStatus::Online: return "online";
    case links::NetworkStatus::Offline: return "offline";
    case links::NetworkStatus::Unknown: return "unknown";
  }
  return "unknown";
}
}  // namespace

Terminal::Terminal(const Ports& ports, const Policy& policy, const Settings& settings)
    : books_(ports, policy, settings),
      network_(books_),
      managers_(books_),
      checkout_(books_, network_, managers_),
      forwarder_(books_, network_),
      certificate_(books_, network_),
      tamper_(books_, checkout_) {}

Result<void> Terminal::start() {
  ND_TRY(books_.open());
  books_.watch_clock();
  // A response that was cut off goes on; so does one whose vault was put back from a copy.
  if (books_.ports().vault.state() != hal::VaultState::Ready || books_.tampered_before()) tamper_.begin();
  ND_TRY(checkout_.recover());
  ND_TRY(forwarder_.open());
  checkout_.on_stored([this] { forwarder_.pump(); });
  network_.on_change([this](bool returned) {
    if (returned) forwarder_.path_returned();
    checkout_.network_changed();
    tell_status();
  });
  network_.on_probed([this] { checkout_.network_changed(); });
  prune_at_ms_ = books_.mono_ms() + prune_first_ms;
  keep_time_at_ms_ = books_.mono_ms() + keep_time_every_ms;
  end_turn();
  network_.start();
  end_turn();
  return {};
}

Result<void> Terminal::stop() {
  const auto signed_head = books_.write([&] { return books_.checkpoint(); });
  end_turn();
  ND_TRY(books_.ports().store.tidy());
  return signed_head;
}

void Terminal::end_turn() {
  // Effects may decide more; that is the next turn. A disk that fails must not keep the loop here.
  for (int turns = 0; books_.pending() && turns < turns_max; ++turns) {
    books_.finish_turn([this] {
      checkout_.forget_undurable();
      forwarder_.forget_undurable();
    });
    if (tidy_at_ms_ == 0) tidy_at_ms_ = books_.mono_ms() + tidy_after_ms;
  }
  books_.tell_events();
  if (tidy_at_ms_ != 0 && books_.mono_ms() >= tidy_at_ms_ && !books_.pending()) {
    tidy_at_ms_ = 0;
    (void)books_.ports().store.tidy();
  }
}

void Terminal::tick() {
  books_.watch_clock();
  tamper_.tick();
  const std::int64_t now = books_.mono_ms();
  const auto health = books_.ports().store.health();
  if (health.degraded && !degraded_told_) {
    degraded_told_ = books_
                         .write([&] {
                           Json data = Json::object();
                           data.set("carried_over", health.carried_over)
                               .set("lost", health.lost)
                               .set("set_aside", health.set_aside_path);
                           return books_.journal("store.degraded", std::move(data));
                         })
                         .has_value();
  }
  tell_policy_expiry();
  checkout_.tick();
  if (const auto at = forwarder_.next_tick_ms(); at && *at <= now) {
    forwarder_.watch_deadlines();
    forwarder_.pump();
  }
  network_.tick(forwarder_.something_waits() || checkout_.busy());
  certificate_.tick();
  if (time_matters() && now >= keep_time_at_ms_) {
    keep_time_at_ms_ = now + keep_time_every_ms;
    (void)books_.write([] { return Result<void>(); });  // each commit carries the time
  }
  if (now >= prune_at_ms_) {
    const UtcMs before = books_.now() - books_.policy().retention_days * 86'400'000;
    std::size_t gone = 0;
    (void)books_.write([&]() -> Result<void> {
      const auto pruned = books_.ports().store.prune(before, prune_rows);
      if (!pruned) return std::unexpected(pruned.error());
      gone = *pruned;
      return {};
    });
    prune_at_ms_ = now + (gone >= prune_rows ? 1'000 : prune_every_ms);
  }
}

std::optional<std::int64_t> Terminal::next_tick_ms() const {
  std::int64_t next = prune_at_ms_;
  const auto sooner = [&](const std::optional<std::int64_t>& at) {
    if (at) next = std::min(next, *at);
  };
  if (tidy_at_ms_ != 0) next = std::min(next, tidy_at_ms_);
  if (time_matters()) next = std::min(next, keep_time_at_ms_);
  sooner(tamper_.next_tick_ms());
  sooner(checkout_.next_tick_ms());
  sooner(forwarder_.next_tick_ms());
  sooner(certificate_.next_tick_ms());
  sooner(network_.next_tick_ms(forwarder_.something_waits() || checkout_.busy()));
  return next;
}

bool Terminal::time_matters() const {
  return forwarder_.something_waits() || !books_.clock_trusted();
}

void Terminal::tell_status() {
  (void)books_.write([&]() -> Result<void> {
    const auto status = offline_status();
    if (!status) return failure(Errc::Unavailable, "the totals could not be read");
    return books_.journal("offline_status.changed", report::offline_status_json(*status, books_.policy()));
  });
}

// --- reading ---

PosResult<Payment> Terminal::retrieve(const std::string& id) {
  if (auto intent = checkout_.find(id); intent && intent->id == id) return *intent;
  auto row = books_.ports().store.find(id);
  if (!row) return std::unexpected(store_error(row.error()));
  if (!*row)
    return std::unexpected(PosError{
        .code = PosCode::UnknownPaymentIntent, .message = "There is no such payment on this reader.", .field = "id"});
  return std::move(**row);
}

PosResult<Payment> Terminal::retrieve_by_reference(const std::string& merchant_reference) {
  if (auto intent = checkout_.find(merchant_reference); intent && intent->merchant_reference == merchant_reference)
    return *intent;
  auto row = books_.ports().store.find_by_reference(merchant_reference);
  if (!row) return std::unexpected(store_error(row.error()));
  if (!*row)
    return std::unexpected(PosError{.code = PosCode::UnknownPaymentIntent,
                                    .message = "There is no such payment on this reader.",
                                    .field = "merchant_reference"});
  return std::move(**row);
}

PosResult<Terminal::Page> Terminal::page(const hal::ListQuery& query) {
  hal::ListQuery one_more = query;
  one_more.limit = query.limit + 1;
  if (!query.starting_after.empty()) {
    const auto row = books_.ports().store.find(query.starting_after);
    if (!row) return std::unexpected(store_error(row.error()));
    if (!*row)
      return std::unexpected(PosError{
          .code = PosCode::InvalidParams, .message = "starting_after names no payment.", .field = "starting_after"});
  }
  auto rows = books_.ports().store.list(one_more);
  if (!rows) return std::unexpected(store_error(rows.error()));
  Page page{std::move(*rows), false};
  if (page.data.size() > query.limit) {
    page.data.resize(query.limit);
    page.has_more = true;
  }
  return page;
}

PosResult<Terminal::Page> Terminal::list(std::optional<Status> status, std::size_t limit,
                                         const std::string& starting_after) {
  // Intents that live in memory are the newest; a page that begins after one of them goes on behind it.
  Page page;
  std::vector<Payment> memory = checkout_.in_memory();
  std::string after_on_disk = starting_after;
  const auto at = std::ranges::find(memory, starting_after, &Payment::id);
  if (at != memory.end()) {
    memory.erase(memory.begin(), at + 1);
    after_on_disk.clear();
  } else if (!starting_after.empty()) {
    memory.clear();
  }
  for (Payment& payment : memory) {
    if (!status || payment.status == *status) page.data.push_back(std::move(payment));
  }
  if (page.data.size() > limit) {
    page.data.resize(limit);
    page.has_more = true;
    return page;
  }
  hal::ListQuery query;
  query.status = status;
  query.starting_after = after_on_disk;
  query.limit = limit - page.data.size();
  auto rest = this->page(query);
  if (!rest) return rest;
  page.has_more = rest->has_more;
  std::ranges::move(rest->data, std::back_inserter(page.data));
  return page;
}

PosResult<Terminal::Page> Terminal::list_declines(std::optional<bool> acknowledged, std::size_t limit,
                                                  const std::string& starting_after) {
  hal::ListQuery query;
  query.reportable = true;
  query.acknowledged = acknowledged;
  query.limit = limit;
  query.starting_after = starting_after;
  return page(query);
}

PosResult<Payment> Terminal::acknowledge_decline(const std::string& id, const std::string& note) {
  return books_.decide<Payment>([&]() -> Result<PosResult<Payment>> {
    auto row = books_.ports().store.find(id);
    if (!row) return std::unexpected(row.error());
    if (!*row)
      return PosResult<Payment>(std::unexpected(PosError{.code = PosCode::UnknownPaymentIntent,
                                                         .message = "There is no such payment on this reader.",
                                                         .field = "id"}));
    Payment& payment = **row;
    if (!payment.reportable)
      return PosResult<Payment>(refuse(PosCode::UnexpectedState, "There is no decline to acknowledge.", payment));
    if (payment.acknowledged && payment.acknowledge_note == note) return PosResult<Payment>(payment);
    payment.acknowledged = true;
    payment.acknowledge_note = note;
    engine::end_retries(payment);  // somebody has settled it with the customer: nobody may charge it any more
    ND_TRY(books_.save(payment));
    ND_TRY(books_.journal("audit.acknowledged", std::move(Json::object().set("id", id).set("note", note))));
    return PosResult<Payment>(payment);
  });
}

PosResult<report::OfflineStatus> Terminal::offline_status() {
  auto totals = books_.ports().store.totals();
  if (!totals) return std::unexpected(store_error(totals.error()));
  report::OfflineStatus status;
  status.network_status = status_word(network_.status());
  status.route = network_.route();
  status.totals = std::move(*totals);
  status.in_flight = forwarder_.in_flight();
  status.policy = policy_standing_;
  status.certificate = certificate_.standing();
  status.now = books_.now();
  if (forwarder_.suspended()) {
    status.paused = true;
    status.reason = "unauthorized";
  } else if (!status.route) {
    status.paused = true;
    status.reason = "no_network";
  }
  return status;
}

PosResult<Json> Terminal::sync_report(std::optional<std::uint64_t> id) {
  const auto run = books_.ports().store.sync_run(id);
  if (!run) return std::unexpected(store_error(run.error()));
  if (!*run) {
    return std::unexpected(PosError{.code = PosCode::InvalidParams,
                                    .message = id ? "There is no such sync report." : "There has been no sync yet.",
                                    .field = "id"});
  }
  hal::ListQuery query;
  query.sync_id = (*run)->id;
  query.limit = Forwarder::report_payments_max;
  const auto payments = books_.ports().store.list(query);
  if (!payments) return std::unexpected(store_error(payments.error()));
  return report::sync_report_json(**run, *payments);
}

PosResult<hal::VaultMarks> Terminal::rekey(const std::string& key_block) {
  if (auto no = books_.refuse_closed()) return std::unexpected(std::move(*no));
  hal::KeyVault& vault = books_.ports().vault;
  const hal::VaultMarks before = vault.marks();
  if (const auto changed = vault.rekey(key_block); !changed) return std::unexpected(rekey_error(changed.error()));
  return books_.decide<hal::VaultMarks>([&]() -> Result<PosResult<hal::VaultMarks>> {
    ND_TRY(books_.journal_keys(before.initial_key_id, before.counter));
    return PosResult<hal::VaultMarks>(vault.marks());
  });
}

PosResult<SealedExport> Terminal::export_sealed() {
  if (tamper_.sealed()) return *tamper_.sealed();  // the keys to make another are gone
  const ExportHeader header{policy().livemode, books_.now(), books_.settings().certificate_pem};
  auto made = write_sealed_export(books_.ports().store, books_.ports().vault, books_.settings().merchant, header,
                                  books_.settings().sha256);
  if (!made) return std::unexpected(store_error(made.error()));
  return std::move(*made);
}

PosResult<void> Terminal::exported(const SealedExport& made) {
  return books_.decide<void>([&]() -> Result<PosResult<void>> {
    ND_TRY(books_.note_export(made));
    return PosResult<void>();
  });
}

PosResult<void> Terminal::accept_damage() {
  return books_.decide<void>([&]() -> Result<PosResult<void>> {
    if (!books_.ports().store.health().degraded) {
      return PosResult<void>(
          std::unexpected(PosError{.code = PosCode::UnexpectedState, .message = "The store is not degraded."}));
    }
    ND_TRY(books_.ports().store.accept_damage());
    ND_TRY(books_.journal("audit.damage_accepted", Json::object()));
    degraded_told_ = false;
    return PosResult<void>();
  });
}

}  // namespace nightdrop::terminal

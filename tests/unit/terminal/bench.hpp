// A terminal on a bench: the real terminal on the real SQLCipher queue, fakes for all else, virtual time. The host
// keeps a small ledger that takes each id once. Time moves only by advance(), which ticks whenever the terminal asked
// for it.
#pragma once

#include <set>

#include "json/json.hpp"
#include "terminal/terminal.hpp"
#include "unit/store/support.hpp"
#include "unit/terminal/fakes.hpp"

namespace nightdrop::test {

using terminal::PosError;
using terminal::PosResult;

// A reply that a test looks at later.
struct Answered {
  std::shared_ptr<std::optional<PosResult<Payment>>> slot{std::make_shared<std::optional<PosResult<Payment>>>()};
  terminal::Reply<Payment> reply() const {
    return [slot = slot](PosResult<Payment> result) {
      EXPECT_FALSE(slot->has_value()) << "answered twice";
      *slot = std::move(result);
    };
  }
  bool yet() const { return slot->has_value(); }
  // The code of the error, the status of the payment, or "no answer".
  std::string text() const {
    if (!yet()) return "no answer";
    return std::string(**slot ? word((**slot)->status) : word((**slot).error().code));
  }
  const Payment& payment() const { return ***slot; }
  const PosError& error() const { return (**slot).error(); }
};

class Bench {
 public:
  static constexpr UtcMs utc = 1'795'290'003'123;  // 2026-11-21T19:40:03.123Z

  Bench();
  ~Bench();

  // --- life ---
  void start();
  void crash();  // the process dies: what was not committed is gone
  void restart() { crash(), start(); }
  void reboot(bool wall_trusted);

  // --- time ---
  void run();  // ends turns and delivers answers until all is quiet
  void advance(std::int64_t ms);
  UtcMs truth() const { return utc + lived_ms_; }  // what time it really is

  // --- the counter ---
  std::string create(std::int64_t amount, const std::function<void(terminal::IntentParams&)>& change = {});
  static hal::CardData card(const std::string& pan = "4242424242424242");
  void present(hal::CardOutcome outcome);
  // create, collect, card, confirm; gives the id.
  Answered pay(std::int64_t amount, const std::function<void(terminal::IntentParams&)>& change = {},
               const std::function<void(hal::CardData&)>& with_card = {});
  std::string stored(std::int64_t amount);  // a payment stored offline, a new card each; gives the id
  Answered cancel(const std::string& id, CancelReason reason = CancelReason::Abandoned);
  Answered approve(const std::string& id, const std::string& pin = "2468");
  Answered refund(const std::string& id, std::int64_t amount, const std::string& reference = {});
  static SecretBytes pin(const std::string& digits) {
    return SecretBytes({reinterpret_cast<const std::uint8_t*>(digits.data()), digits.size()});
  }

  // --- the world ---
  void online(Route route = Route::Wifi);
  void offline();
  // What the acquirer does with a request to /v1/payments…; by default it approves.
  std::optional<hal::HostOutcome> acquirer(const hal::HostRequest& request);
  static hal::HostReply reply(int status, std::string body,
                              std::vector<std::pair<std::string, std::string>> headers = {});
  static std::string approval(const std::string& id, std::int64_t amount);

  // --- what became of it ---
  Payment row(const std::string& id);
  std::string status(const std::string& id) { return std::string(word(row(id).status)); }
  hal::Totals totals();
  std::vector<std::string> events(std::string_view prefix = "");  // the types of all events
  std::vector<Json> event_data(std::string_view type);
  void expect_books_in_order();  // totals equal a recount, nothing negative

  Folder folder;
  hal::ManualClock clock{utc};
  FakeEntropy entropy;
  FakeVault vault;
  FakeReader reader;
  FakeLinks links;
  FakeIndicator indicator;
  FakeHost host{clock};
  hal::IdentityCertificate* certificate{nullptr};  // watched from the next start() on
  Policy policy;
  terminal::Settings settings;
  bool commit_fails{false};
  bool disk_fails{false};
  bool disk_is_full{false};
  bool export_fails{false};
  std::vector<terminal::SealedExport> exports;  // what a tampered reader has kept

  std::map<std::string, std::string> ledger;  // id -> body: what the acquirer has taken
  std::set<std::string> reversed;
  std::map<std::string, std::function<std::optional<hal::HostOutcome>(const hal::HostRequest&)>> plan;  // by id
  std::size_t batch{0};
  bool acquirer_answers{true};

  std::unique_ptr<SqlCipherStore> store;
  std::unique_ptr<terminal::Terminal> terminal;

 private:
  std::optional<hal::HostOutcome> take(const hal::HostRequest& request);
  std::int64_t lived_ms_{0};
  int references_{0};
  int cards_{0};
};

}  // namespace nightdrop::test

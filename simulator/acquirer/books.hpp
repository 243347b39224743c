// The acquirer's books in memory: what the ledger's records say, one after the other. apply() is the only way in, for
// records read at start and for those just written alike, so that a restart knows exactly what was known before.
// Records: "payment" (an authorization answered), "reversal", "anomaly". No card data but last4 and KSN.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "json/json.hpp"
#include "nightdrop/payment.hpp"

namespace nightdrop::simulator {

// One answered Idempotency-Key of a payment.
struct Answered {
  std::string key;
  std::string body_sha256;
  std::string answer;  // JSON
  std::uint64_t ticket{0};
};

// All that is known of one id.
struct Entry {
  std::string id;
  std::string object;
  std::int64_t amount{0};
  std::string currency;
  std::string merchant_reference;
  std::string terminal_id;
  std::string last4;
  std::string ksn;
  std::string outcome;  // approved, partial, declined; empty: no payment was received, only a reversal
  std::string response_code;
  std::int64_t approved_amount{0};
  bool deferred{false};
  std::uint64_t posted{0};         // how often money was booked for it; never above 1
  std::vector<Answered> answered;  // the last is what a GET gives
  std::optional<Answered> reversal;
  std::string reversal_reason;
  std::vector<std::string> anomalies;
};

struct Totals {
  std::int64_t payments{0};
  std::int64_t refunds{0};
  std::int64_t reversed{0};  // payments less refunds that were posted and then reversed
};

class Books {
 public:
  // Takes one record. `ticket` is what must be durable before an answer made from it may leave; 0 for what was read.
  void apply(JsonView record, std::uint64_t ticket);

  Entry* find(const std::string& id);
  const std::vector<std::string>& order() const { return order_; }
  const Entry& at(const std::string& id) const { return entries_.at(id); }

  // The id that used a KSN first; nothing if none did.
  std::optional<std::string> ksn_owner(const std::string& ksn) const;
  // The highest counter seen of a reader's initial key; 0 if none.
  std::uint32_t highest_counter(const Ksn& ksn) const;
  // Another id of the same kind that holds money under the same reference of the same terminal.
  std::optional<std::string> reference_owner(const std::string& object, const std::string& terminal,
                                             const std::string& reference, const std::string& id) const;
  std::map<std::string, Totals> totals() const;
  std::uint64_t twice() const;
  std::uint64_t posted() const;
  const std::map<std::string, std::uint64_t>& anomalies() const { return anomalies_; }

 private:
  Entry& entry(const std::string& id);
  void apply_payment(JsonView record, std::uint64_t ticket);

  std::map<std::string, Entry> entries_;
  std::vector<std::string> order_;
  std::map<std::string, std::string> ksns_;
  std::map<std::string, std::uint32_t> counters_;               // by initial key id, hex
  std::map<std::string, std::vector<std::string>> references_;  // object, terminal, reference -> ids
  std::map<std::string, std::uint64_t> anomalies_;
};

// The ledger's rows as JSON, as GET /admin/ledger and `nightdrop-sim ledger --json` give them. `attempts`: how often
// each id came since the start; ids that are in no record (refused each time) are not shown.
Json ledger_json(const Books& books, const std::map<std::string, std::uint64_t>& attempts);

}  // namespace nightdrop::simulator

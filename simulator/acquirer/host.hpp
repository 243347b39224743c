// What the acquirer decides, without HTTP: each id is posted once, however often and from however many connections it
// comes; the same key and body get the first answer again; what may leave is on the disk before. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.hpp"
#include "simulator/acquirer/answer.hpp"
#include "simulator/acquirer/books.hpp"
#include "simulator/acquirer/card_keys.hpp"
#include "simulator/acquirer/faults.hpp"
#include "simulator/acquirer/ledger_file.hpp"
#include "simulator/acquirer/payment_check.hpp"

namespace nightdrop::simulator {

inline constexpr std::size_t batch_max = 100;

// What the issuer shall say from now on to one card or one payment.
struct ForcedOutcome {
  std::string id;  // one of id and last4 is given
  std::string last4;
  std::string response_code;  // 00 approves
  std::string advice_code;
};

struct HostCounts {
  std::uint64_t replayed{0};
  std::uint64_t conflicts{0};
  std::uint64_t rejected{0};  // 4xx answers to payments
};

class Host {
 public:
  // Takes up the ledger of a directory. Errors: those of LedgerFile::open().
  [[nodiscard]] static Result<std::unique_ptr<Host>> open(const std::string& directory, CardKeys keys);

  // Each gives an answer that may leave only after wait(answer.ticket).
  // `key` is the Idempotency-Key; in a batch there is none, and it is the id. `raw` is the payment's JSON, byte for
  // byte.
  Answer payment(const std::string& reader, const std::optional<std::string>& key, std::string_view raw,
                 const Fault& fault);
  // `key`: the attempt that is asked about; none: the newest.
  Answer status(const std::string& id, const std::optional<std::string>& key, const Fault& fault);
  Answer reversal(const std::string& id, const std::optional<std::string>& key, std::string_view raw);
  // Durable through `ticket`. Errors: Io.
  [[nodiscard]] Result<void> wait(std::uint64_t ticket) { return ticket == 0 ? Result<void>{} : file_->wait(ticket); }

  void force(ForcedOutcome outcome);
  void clear_forced();
  Json ledger() const;
  // Adds the ledger's numbers to `stats`.
  void add_stats(Json& stats) const;

 private:
  Host(CardKeys keys, std::unique_ptr<LedgerFile> file) : keys_(std::move(keys)), file_(std::move(file)) {}

  struct Waiting {
    std::int64_t left{0};
    std::string retry_after;
  };
  // All below: with mutex_ held.
  std::optional<Answer> known_answer(const std::string& id, const std::string& key, const std::string& hash);
  Answer authorize(const std::string& reader, const CheckedPayment& payment, const std::string& key,
                   const std::string& hash, const Fault& fault);
  Json decide(const CheckedPayment& payment, const std::string& key, const Fault& fault);
  std::optional<ApiError> check_ksn(const CheckedPayment& payment, std::vector<std::string>& anomalies);
  Answer commit(Json record, std::string outcome);
  void note_anomaly(const char* kind, const std::string& id, const std::string& with);
  std::optional<Answer> still_pending(const std::string& id);
  Answer rejected(const ApiError& error);
  Answer replay(const Answered& answered);

  const CardKeys keys_;
  const std::unique_ptr<LedgerFile> file_;
  mutable std::mutex mutex_;
  Books books_;
  std::map<std::string, std::uint64_t> attempts_;
  std::map<std::string, Waiting> pending_;
  std::vector<ForcedOutcome> forced_;
  HostCounts counts_;
};

}  // namespace nightdrop::simulator

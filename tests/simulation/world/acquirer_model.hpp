// The acquirer as the contract describes it (docs/acquirer_api.md), in memory: posts each idempotency key once, replays
// its first answer, refuses what was reversed before it came. It keeps what it charged, so that the run's end can be
// compared with the reader's books, and it notices a second charge for one sale the moment it happens.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.hpp"
#include "nightdrop/payment.hpp"
#include "simulation/world/chance.hpp"

namespace nightdrop::simulation {

class AcquirerModel {
 public:
  struct Answer {
    int status{200};
    std::string body;
    bool replayed{false};
    std::int64_t retry_after_s{-1};  // below 0: none
  };
  struct Posting {
    std::string id, key, reference, original;
    bool refund{false};
    std::int64_t amount{0}, approved{0};
    bool reversed{false};
    std::int64_t settles_at{0};  // pending until then
    std::string body, answer;
    bool charged() const { return approved > 0 && !reversed; }
  };

  // POST /v1/payments; `key` empty for an element of a batch, whose key is its id.
  Answer post(std::string_view key, const std::string& body, std::int64_t now);
  // `asked`: the Idempotency-Key that is asked about; empty: the newest.
  Answer inquire(const std::string& id, const std::string& asked, std::int64_t now) const;
  Answer reverse(const std::string& id);
  Answer batch(const std::string& body, std::int64_t now);

  // Net of what stands charged for an id.
  std::int64_t charged(const std::string& id) const;
  const std::map<std::string, Posting>& postings() const { return postings_; }
  int replays() const { return replays_; }
  int reversals() const { return static_cast<int>(tombstones_.size()); }

 private:
  Answer decide(Posting& posting, JsonView body, std::int64_t now);
  void charge(const Posting& posting) const;

  std::map<std::string, Posting> postings_;  // by key
  std::map<std::string, std::string> ksns_;  // whose
  std::set<std::string> tombstones_;
  int replays_{0};
};

}  // namespace nightdrop::simulation

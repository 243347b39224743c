// Renewal of readers' certificates (docs/acquirer_api.md): a request for the reader's own name by the key that it has
// already is answered with a new certificate by the renewal authority, a sub-authority of the manufacturing authority
// (renewal.pem and renewal.key). What was answered is in renewals/ before it leaves, so the same request gets the same
// answer. Thread-safe.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "simulator/acquirer/answer.hpp"
#include "simulator/acquirer/reader_registry.hpp"

namespace nightdrop::simulator {

class Renewals {
 public:
  // Lifetime: `readers` outlives it.
  Renewals(std::string directory, ReaderRegistry& readers) : directory_(std::move(directory)), readers_(readers) {}
  // Requires: the caller's standing is good.
  Answer renew(const Caller& caller, std::string_view body);

 private:
  const std::string directory_;
  ReaderRegistry& readers_;
  std::mutex mutex_;
};

}  // namespace nightdrop::simulator

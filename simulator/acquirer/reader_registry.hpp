// Which readers the acquirer hears: those whose certificate is, byte for byte, in readers/<serial>.pem, has not run
// out, and of which none is on the manufacturing authority's revocation list (revoked.pem). Both are looked at again
// without a restart. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "nightdrop/result.hpp"
#include "simulator/acquirer/traffic.hpp"
#include "x509/certificate.hpp"

struct ssl_st;

namespace nightdrop::simulator {

enum class Standing : std::uint8_t { Unknown, Good, Revoked, Expired };

// Who is at the other end of a connection.
struct Caller {
  Standing standing{Standing::Unknown};
  std::string serial_number;  // of the reader; empty: unknown
  x509::PublicKey key{};      // of its certificate
};

// revoked.pem. A list that the authority did not sign, or that is older than the one in force, is ignored with a line
// in the log; one that was in force stays so when the file goes.
class RevocationWatch {
 public:
  RevocationWatch(std::string directory, Traffic& traffic) : directory_(std::move(directory)), traffic_(traffic) {}
  // Whether the certificate with this serial number is revoked, by the file as it is now.
  bool holds(const std::string& serial_number);

 private:
  void reload();

  const std::string directory_;
  Traffic& traffic_;
  std::string seen_;  // which version of the file was looked at last
  std::optional<x509::RevocationList> in_force_;
};

class ReaderRegistry {
 public:
  ReaderRegistry(std::string directory, Traffic& traffic);
  Caller caller(const ssl_st* connection);
  // Registers one more certificate of a reader; those it has stay good. Ensures: durable. Errors: Io, DiskFull.
  [[nodiscard]] Result<void> add(const std::string& reader, const x509::Certificate& certificate);
  bool is_revoked(const std::string& certificate_serial);

 private:
  struct Registered {
    std::string reader;
    x509::Certificate certificate;
  };
  void reload();
  bool any_revoked(const std::string& reader);

  const std::string directory_;
  std::mutex mutex_;
  std::map<std::string, Registered> registered_;  // by DER
  RevocationWatch revoked_;
};

// The manufacturing authority: manufacturing_ca.pem of `directory`, or ca.pem where there is none.
[[nodiscard]] Result<x509::Certificate> manufacturing_authority(const std::string& directory);

}  // namespace nightdrop::simulator

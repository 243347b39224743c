// What an operation that can fail gives back. An Error is trivially copyable and holds static text alone, so that no
// card data can ever travel in one. Bugs are asserted (ND_ASSERT, on in release); domain outcomes are ordinary values.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <expected>
#include <type_traits>

namespace nightdrop {

enum class Errc : std::uint8_t {
  InvalidArgument,  // the caller's value is outside its documented range
  Malformed,        // bytes from outside that do not parse
  NotFound,
  Conflict,     // the same name with other content
  WrongKey,     // authentication of sealed or encrypted data failed
  Corrupt,      // stored data that is damaged
  NewerSchema,  // the store was written by a later version
  ReadOnly,
  DiskFull,
  Busy,              // held by another process
  Io,                // the operating system said no; `native` is errno
  CryptoFailed,      // PSA said no; `native` is the psa_status_t
  CounterExhausted,  // the DUKPT counter has passed 0xFFFF0000
  Unavailable,       // not in a state to do this now; may be tried again
  Unsupported,
  DevelopmentKey,  // a development key in a release build
  RolledBack,      // an older copy was put in place of what was there
};

struct Error {
  Errc code{Errc::InvalidArgument};
  int native{0};         // errno, SQLite extended code, psa_status_t or CURLcode; 0 if none
  const char* text{""};  // static storage; one plain sentence without secrets
};
static_assert(std::is_trivially_copyable_v<Error>);

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> failure(Errc code, const char* text, int native = 0) {
  return std::unexpected(Error{code, native, text});
}

const char* errc_name(Errc code);

// A bug: says where on stderr and aborts, in release too. The supervisor restarts the process; the queue is whole.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

inline const char* errc_name(Errc code) {
  switch (code) {
    case Errc::InvalidArgument: return "invalid_argument";
    case Errc::Malformed: return "malformed";
    case Errc::NotFound: return "not_found";
    case Errc::Conflict: return "conflict";
    case Errc::WrongKey: return "wrong_key";
    case Errc::Corrupt: return "corrupt";
    case Errc::NewerSchema: return "newer_schema";
    case Errc::ReadOnly: return "read_only";
    case Errc::DiskFull: return "disk_full";
    case Errc::Busy: return "busy";
    case Errc::Io: return "io";
    case Errc::CryptoFailed: return "crypto_failed";
    case Errc::CounterExhausted: return "counter_exhausted";
    case Errc::Unavailable: return "unavailable";
    case Errc::Unsupported: return "unsupported";
    case Errc::DevelopmentKey: return "development_key";
    case Errc::RolledBack: return "rolled_back";
  }
  return "unknown";
}

}  // namespace nightdrop

#include <cstdio>

inline void nightdrop::assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
  std::abort();
}

#define ND_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::nightdrop::assertion_failed(#condition, __FILE__, __LINE__))
// Leaves the function with the error of an expression that failed; for Results whose value is not needed.
#define ND_TRY(expression)                                     \
  do {                                                         \
    if (auto&& nd_try_result = (expression); !nd_try_result) { \
      return std::unexpected(nd_try_result.error());           \
    }                                                          \
  } while (false)

// One row of `payments`: the payment without its envelope, and the columns that indexes are made of.
//
// A forwardable row stands in a lane: what holds it (nothing, a time, a refund's sale), whether it may expire, and
// whether its deadline lies the usual window after stored_at. Each lane is a range of one index, nearest deadline
// first.
#pragma once

#include <array>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "store/sqlcipher_store.hpp"

namespace nightdrop {

struct SqlCipherStore::Row {
  std::int64_t n{0};
  Payment payment;  // envelope empty, whatever `slot` says
  std::optional<std::int64_t> lane, wait_until, oldest, report, sync_id, slot;
  std::string blocked_by;
};

namespace store {

enum class Hold : std::uint8_t { Ready, Waiting, Blocked };
inline constexpr int lane_count = 12;
constexpr int lane_of(Hold hold, bool expires, bool usual_window) {
  return static_cast<int>(hold) * 4 + (expires ? 0 : 2) + (usual_window ? 1 : 0);
}
constexpr bool lane_expires(int lane) {
  return (lane & 2) == 0;
}
constexpr bool lane_has_usual_window(int lane) {
  return (lane & 1) != 0;
}
constexpr Hold lane_hold(int lane) {
  return static_cast<Hold>(lane / 4);
}

inline constexpr std::int64_t no_deadline = std::numeric_limits<std::int64_t>::max();

constexpr std::int64_t report_key(bool acknowledged, Status status) {
  return (acknowledged ? 16 : 0) + static_cast<std::int64_t>(status);
}

bool is_forwardable(const Payment& payment);
// Where the row of an id is looked for: `n` and the few numbers after it.
std::int64_t n_of_id(std::string_view id);
inline constexpr std::int64_t n_tries = 64;

}  // namespace store
}  // namespace nightdrop

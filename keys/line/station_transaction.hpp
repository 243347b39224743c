// One transaction of the station's database: what its steps wrote is durable when it gives Ok, and never was otherwise.
#pragma once

#include <mutex>
#include <utility>

#include "keys/line/station_db.hpp"

namespace nightdrop::keys {

template <class Steps>
auto StationDb::transaction(Steps&& steps) -> Outcome<typename std::invoke_result_t<Steps>::value_type> {
  const std::scoped_lock alone(mutex_);
  if (const auto begun = db_.execute("BEGIN IMMEDIATE"); !begun) return refused(begun.error());
  auto done = std::forward<Steps>(steps)();
  Result<void> ended{};
  if (done) ended = db_.execute("COMMIT");
  if (!done || !ended) {
    if (!db_.autocommit()) [[maybe_unused]]
      const auto undone = db_.execute("ROLLBACK");
    return refused(done ? ended.error() : done.error());
  }
  if (db_.wal_frames() > wal_frames_max) [[maybe_unused]]
    const auto written_back = db_.checkpoint();
  if constexpr (std::is_void_v<typename std::invoke_result_t<Steps>::value_type>) {
    return {};
  } else {
    return std::move(*done);
  }
}

}  // namespace nightdrop::keys

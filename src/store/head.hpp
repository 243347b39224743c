// The store's head: what changes with nearly every turn, as one row of `state`, so that it costs one page a commit.
// Held in memory, copied at begin() and mark(), written by commit(). Everything but DeviceState and the journal's
// heads can be counted anew from the rows.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "hal/record_store.hpp"

namespace nightdrop::store {

struct Head {
  std::map<Currency, hal::CurrencyTotals> by_currency;  // none where both sums are 0
  std::int64_t counted{0};
  std::array<std::int64_t, status_count> by_status{};
  // Rows whose deadline lies exactly `window_ms` after stored_at: their oldest is found by their nearest deadline.
  std::int64_t window_ms{0};
  std::int64_t window_rows{0};
  std::int64_t free_slot{0};  // first of the list of erased envelope slots
  std::int64_t slots{0};      // slots that exist, erased ones included
  std::uint64_t last_sync{0};
  std::uint64_t journal_seq{0};
  std::array<std::uint8_t, 32> journal_hash{};
  std::uint64_t anchor_seq{0};  // of the last event that was pruned
  std::array<std::uint8_t, 32> anchor_hash{};
  hal::DeviceState device;
  hal::StoreHealth health;

  std::int64_t rows() const;
};

std::vector<std::uint8_t> encode(const Head& head);
bool decode(std::span<const std::uint8_t> bytes, Head& head);

}  // namespace nightdrop::store

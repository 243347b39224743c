// The head's bytes. See head.hpp.
#include "store/head.hpp"

#include <numeric>

#include "store/codec.hpp"

namespace nightdrop::store {
namespace {
constexpr std::uint64_t version = 1;
}

std::int64_t Head::rows() const {
  return std::accumulate(by_status.begin(), by_status.end(), std::int64_t{0});
}

std::vector<std::uint8_t> encode(const Head& head) {
  Writer out;
  out.u(version);
  out.u(head.by_currency.size());
  for (const auto& [currency, sums] : head.by_currency) {
    out.currency(currency);
    out.i(sums.payments);
    out.i(sums.refunds);
  }
  out.i(head.counted);
  for (const std::int64_t rows : head.by_status) out.i(rows);
  out.i(head.window_ms);
  out.i(head.window_rows);
  out.i(head.free_slot);
  out.i(head.slots);
  out.u(head.last_sync);
  out.u(head.journal_seq);
  out.fixed(head.journal_hash);
  out.u(head.anchor_seq);
  out.fixed(head.anchor_hash);
  const hal::DeviceState& d = head.device;
  out.u(d.dukpt_counter);
  out.u(d.stan);
  out.i(d.time_high);
  out.text(d.boot_id);
  out.i(d.mono_ms);
  out.i(d.untrusted_for_ms);
  out.u(d.time_epoch);
  out.i(d.policy_version);
  out.i(d.fallbacks_in_spell);
  out.flag(d.clock_trusted);
  out.u(d.turn);
  const hal::StoreHealth& h = head.health;
  out.flag(h.degraded);
  out.i(h.carried_over);
  out.i(h.lost);
  out.text(h.set_aside_path);
  out.flag(h.was_lost);
  out.u(d.exported_seq);
  out.fixed(d.exported);
  out.i(d.tampered_at);
  out.fixed(d.initial_key_id);
  out.u(d.vault_generation);
  return out.take();
}

bool decode(std::span<const std::uint8_t> bytes, Head& head) {
  Reader in(bytes);
  if (in.u() < version) return false;
  for (std::uint64_t left = in.u(); left != 0 && in.ok(); --left) {
    hal::CurrencyTotals& sums = head.by_currency[in.currency()];
    sums.payments = in.i();
    sums.refunds = in.i();
  }
  head.counted = in.i();
  for (std::int64_t& rows : head.by_status) rows = in.i();
  head.window_ms = in.i();
  head.window_rows = in.i();
  head.free_slot = in.i();
  head.slots = in.i();
  head.last_sync = in.u();
  head.journal_seq = in.u();
  in.fixed(head.journal_hash);
  head.anchor_seq = in.u();
  in.fixed(head.anchor_hash);
  hal::DeviceState& d = head.device;
  in.number(d.dukpt_counter);
  in.number(d.stan);
  d.time_high = in.i();
  d.boot_id = in.text();
  d.mono_ms = in.i();
  d.untrusted_for_ms = in.i();
  d.time_epoch = in.u();
  d.policy_version = in.i();
  d.fallbacks_in_spell = in.i();
  d.clock_trusted = in.flag();
  d.turn = in.u();
  hal::StoreHealth& h = head.health;
  h.degraded = in.flag();
  h.carried_over = in.i();
  h.lost = in.i();
  h.set_aside_path = in.text();
  h.was_lost = in.flag();
  if (in.at_end()) return in.ok();  // of a version that knew no more
  d.exported_seq = in.u();
  in.fixed(d.exported);
  d.tampered_at = in.i();
  if (in.at_end()) return in.ok();
  in.fixed(d.initial_key_id);
  d.vault_generation = in.u();
  return in.ok();
}

}  // namespace nightdrop::store

// A short evening at the counter, a turn a step, and what the queue says of itself after each: a digest of everything
// that was promised. The same steps give the same digests, so that after a power cut the digest names the step.
#pragma once

#include <string>

#include "unit/store/support.hpp"

namespace nightdrop::test {

inline constexpr int steps = 13;

// Step `n` (from 1), one turn and, where a reply would have gone out, the tidying after it.
inline Result<void> take_step(SqlCipherStore& store, int n) {
  const auto turn = [&](const std::vector<Payment>& payments, const char* event) -> Result<void> {
    ND_TRY(store.begin());
    for (const Payment& p : payments) {
      ND_TRY(store.mark());
      ND_TRY(store.put(p));
      ND_TRY(store.append(event, "2026-09-21T10:00:00.000Z", "{\"id\":\"" + p.id + "\"}"));
    }
    hal::DeviceState device;
    device.dukpt_counter = static_cast<std::uint32_t>(n);
    ND_TRY(store.put_device_state(device));
    return store.commit();
  };
  const auto answered = [](int which, Status status) {
    Payment p = stored(which);
    answer(p, status);
    return p;
  };
  const auto forwarding = [](int which) {
    Payment p = stored(which);
    p.status = Status::Forwarding;
    p.sent = true;
    return p;
  };
  switch (n) {
    case 1: return turn({stored(1)}, "payment_intent.stored");
    case 2: return turn({stored(2), stored(3), stored(4)}, "payment_intent.stored");
    case 3: return turn({forwarding(1)}, "payment_intent.forwarding");
    case 4: ND_TRY(turn({answered(1, Status::Succeeded)}, "payment_intent.succeeded")); return store.tidy();
    case 5: return turn({stored(11), stored(12)}, "payment_intent.stored");
    case 6: {
      ND_TRY(store.begin());
      ND_TRY(store.put_reversal({.payment_id = "pi_r", .created_at = start}));
      ND_TRY(store.set_cursor("pos", 3));
      ND_TRY(store.put_sync_run({.started_at = start}));
      return store.commit();
    }
    case 7:
      ND_TRY(turn({answered(2, Status::Declined), answered(3, Status::Canceled)}, "payment_intent.declined"));
      return store.tidy();
    case 8: return turn({stored(13), forwarding(11)}, "payment_intent.stored");
    case 9: {
      Payment waiting = stored(12);
      waiting.not_before = start + 100;
      ND_TRY(turn({waiting, answered(4, Status::Expired)}, "payment_intent.expired"));
      return store.tidy();
    }
    case 10: {
      ND_TRY(store.due(start + 200, 10, {}));
      return {};
    }
    case 11: return turn({stored(14)}, "payment_intent.stored");
    case 12: {
      ND_TRY(store.begin());
      ND_TRY(store.put_reversal({.payment_id = "pi_r", .done = true}));
      return store.commit();
    }
    case 13: {
      ND_TRY(store.prune(start + day, 100));
      return {};
    }
    default: return {};
  }
}

inline std::string digest(SqlCipherStore& store) {
  std::string text;
  for (const int n : {1, 2, 3, 4, 11, 12, 13, 14}) {
    const auto p = store.find(stored(n).id);
    if (!p) return std::string("unreadable: ") + p.error().text;
    text += std::to_string(n) + "=";
    if (*p)
      text += std::string(1, static_cast<char>('a' + static_cast<int>((*p)->status))) + ((*p)->envelope ? "E" : "-") +
              ((*p)->not_before != 0 ? "W" : "-");
    text += " ";
  }
  const auto totals = store.totals();
  const auto last = store.last_event();
  const auto device = store.device_state();
  const auto cursor = store.cursor("pos");
  const auto reversals = store.reversals(10);
  if (!totals || !last || !device || !cursor || !reversals) return "unreadable";
  text += "counted " + std::to_string(totals->count) + " seq " + std::to_string(last->seq) + "/" +
          std::to_string(last->hash[0]) + " dukpt " + std::to_string(device->dukpt_counter) + " cursor " +
          std::to_string(*cursor) + " reversals " + std::to_string(reversals->size());
  return text;
}

// The digest after each number of steps, taken on a disk without faults.
inline std::vector<std::string> digests() {
  const Folder folder;
  auto options = options_in(folder.path());
  options.reserve_bytes = 0;
  auto store = open_store(options);
  std::vector<std::string> all{digest(*store)};
  for (int n = 1; n <= steps; ++n) {
    const auto done = take_step(*store, n);
    EXPECT_TRUE(done) << n << ": " << (done ? "" : done.error().text);
    all.push_back(digest(*store));
  }
  EXPECT_TRUE(store->verify());
  return all;
}

}  // namespace nightdrop::test

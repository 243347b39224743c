// Envelopes in slots of one size, chained. A slot is overwritten in place when its envelope is erased, then reused:
// slots never move between pages, so no page keeps an old copy. (SQLite's secure_delete zeroes what is deleted, but not
// what a page held before its rows were moved to another page.) Erased slots form a list that begins in the head.
#include <algorithm>
#include <array>

#include "store/codec.hpp"
#include "store/database.hpp"
#include "store/sqlcipher_store.hpp"

namespace nightdrop {

using store::Query;

namespace {

constexpr std::size_t slot_bytes = 256;
constexpr std::size_t slot_head = 10;  // next slot, 8 bytes; length, 2
constexpr std::size_t slot_room = slot_bytes - slot_head;
using Slot = std::array<std::uint8_t, slot_bytes>;

Slot make_slot(std::int64_t next, std::span<const std::uint8_t> content) {
  Slot slot{};
  for (std::size_t i = 0; i < 8; ++i)
    slot[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(next) >> (56 - 8 * i));
  slot[8] = static_cast<std::uint8_t>(content.size() >> 8);
  slot[9] = static_cast<std::uint8_t>(content.size());
  std::copy(content.begin(), content.end(), slot.begin() + slot_head);
  return slot;
}

std::int64_t next_of(std::span<const std::uint8_t> slot) {
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < 8; ++i) next = next << 8 | slot[i];
  return static_cast<std::int64_t>(next);
}

Result<Slot> read_slot(store::Database& database, std::int64_t number) {
  ND_LET(Query query, database.query("SELECT bytes FROM envelopes WHERE slot = ?"));
  query.bind(number);
  ND_LET(const bool found, query.step());
  if (!found || query.blob(0).size() != slot_bytes) return failure(Errc::Corrupt, "an envelope's slot is not there");
  return query.bytes<slot_bytes>(0);
}

Result<void> overwrite(store::Database& database, std::int64_t number, const Slot& slot) {
  ND_LET(Query query, database.query("UPDATE envelopes SET bytes = ? WHERE slot = ?"));
  return query.bind(std::span<const std::uint8_t>(slot)).bind(number).run();
}

}  // namespace

Result<std::int64_t> SqlCipherStore::store_envelope(const Envelope& envelope) {
  const auto bytes = store::encode_envelope(envelope);
  std::span<const std::uint8_t> rest(bytes);
  std::int64_t next = 0;
  while (!rest.empty()) {  // from the end, so that each slot knows the next
    const std::size_t part = (rest.size() - 1) % slot_room + 1;
    const Slot slot = make_slot(next, rest.last(part));
    rest = rest.first(rest.size() - part);
    if (head_.free_slot != 0) {
      next = head_.free_slot;
      ND_LET(const Slot free, read_slot(*db_, next));
      head_.free_slot = next_of(free);
      ND_TRY(overwrite(*db_, next, slot));
    } else {
      next = ++head_.slots;
      ND_LET(Query query, db_->query("INSERT INTO envelopes (slot, bytes) VALUES (?, ?)"));
      ND_TRY(query.bind(next).bind(std::span<const std::uint8_t>(slot)).run());
    }
  }
  head_dirty_ = true;
  return next;
}

Result<std::optional<Envelope>> SqlCipherStore::load_envelope(std::int64_t slot) {
  return join_envelope(slot, [this](std::int64_t number) -> Result<std::vector<std::uint8_t>> {
    ND_LET(const Slot part, read_slot(*db_, number));
    return std::vector<std::uint8_t>(part.begin(), part.end());
  });
}

Result<std::optional<Envelope>> SqlCipherStore::join_envelope(std::int64_t slot, const SlotReader& read) {
  store::Bytes bytes;
  constexpr std::size_t bytes_max = std::size_t{64} << 10;  // a chain that goes round is damage
  while (slot != 0 && bytes.size() < bytes_max) {
    ND_LET(const auto part, read(slot));
    if (part.size() != slot_bytes) return failure(Errc::Corrupt, "an envelope's slot is not there");
    const std::size_t size = static_cast<std::size_t>(part[8]) << 8 | part[9];
    if (size == 0 || size > slot_room) return failure(Errc::Corrupt, "an envelope's slot is empty");
    bytes.insert(bytes.end(), part.begin() + slot_head, part.begin() + slot_head + static_cast<std::ptrdiff_t>(size));
    slot = next_of(part);
  }
  Envelope envelope;
  if (!store::decode_envelope(bytes, envelope)) return failure(Errc::Corrupt, "an envelope does not parse");
  return envelope;
}

Result<void> SqlCipherStore::erase_envelope(std::int64_t slot) {
  while (slot != 0) {
    ND_LET(const Slot there, read_slot(*db_, slot));
    const std::int64_t next = next_of(there);
    ND_TRY(overwrite(*db_, slot, make_slot(head_.free_slot, {})));
    head_.free_slot = slot;
    slot = next;
  }
  head_dirty_ = erased_ = true;
  return {};
}

}  // namespace nightdrop

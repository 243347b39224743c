// The order of the checks in resume_point(): a copy from before a rekey first, for nothing makes it usable (how far the
// old key was spent since is known to nobody); then the vault's age, then the queue's.
#include "crypto/spending.hpp"

#include <algorithm>
#include <utility>

#include "crypto/tr31.hpp"

namespace nightdrop {
namespace {

constexpr int ceiling_ahead = 64;  // counter values that may be spent after one write
constexpr int margin = 64;         // transactions that are left out when an older vault goes on
constexpr std::uint8_t version_without_generation = 1;
constexpr std::uint8_t format_version = 2;
constexpr std::size_t old_header_size = 1 + 4 + 4;                // version, last spent counter, ceiling
constexpr std::size_t header_size = old_header_size + 8 + 8 + 2;  // generation, witnessed seq, number of earlier IKIDs
constexpr std::size_t id_size = std::tuple_size_v<dukpt::InitialKeyId>;
constexpr std::size_t earlier_max = 1000;

void put(std::span<std::uint8_t> out, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * (size - 1 - i)));
}
std::uint64_t get(std::span<const std::uint8_t> in, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | in[i];
  return value;
}

// The value so many transactions after `counter`, or the last there is.
std::uint32_t later(std::uint32_t counter, int transactions) {
  for (int i = 0; i < transactions; ++i) {
    const auto next = dukpt::next_counter(counter);
    if (!next) return dukpt::counter_max;
    counter = *next;
  }
  return counter;
}

bool accepts_vault(hal::Older accepted) {
  return accepted == hal::Older::AcceptVault || accepted == hal::Older::AcceptBoth;
}
bool accepts_queue(hal::Older accepted) {
  return accepted == hal::Older::AcceptQueue || accepted == hal::Older::AcceptBoth;
}

}  // namespace

SecretBytes spending_to_bytes(const Spending& spending, std::uint32_t ceiling, std::uint64_t generation) {
  const SecretBytes registers = spending.device.serialise();
  SecretBytes bytes(header_size + spending.earlier_ids.size() * id_size + registers.size());
  auto out = bytes.writable();
  out[0] = format_version;
  put(out.subspan(1), spending.counter, 4);
  put(out.subspan(5), ceiling, 4);
  put(out.subspan(9), generation, 8);
  put(out.subspan(17), spending.witnessed_seq, 8);
  put(out.subspan(25), spending.earlier_ids.size(), 2);
  out = out.subspan(header_size);
  for (const dukpt::InitialKeyId& id : spending.earlier_ids) {
    std::ranges::copy(id, out.begin());
    out = out.subspan(id_size);
  }
  std::ranges::copy(registers.view(), out.begin());
  return bytes;
}

Result<Spending> spending_from_bytes(std::span<const std::uint8_t> bytes) {
  const auto damaged = failure(Errc::Corrupt, "the vault's DUKPT file is damaged or of another version");
  if (bytes.size() < old_header_size || bytes[0] == 0 || bytes[0] > format_version) return damaged;
  const bool old = bytes[0] == version_without_generation;
  if (!old && bytes.size() < header_size) return damaged;
  const std::size_t earlier = old ? 0 : get(bytes.subspan(25), 2);
  const std::size_t registers_at = old ? old_header_size : header_size + earlier * id_size;
  if (bytes.size() < registers_at) return damaged;
  auto device = dukpt::DukptDevice::deserialise(bytes.subspan(registers_at));
  ND_TRY(device);
  Spending spending{.device = std::move(*device)};
  spending.counter = static_cast<std::uint32_t>(get(bytes.subspan(1), 4));
  spending.ceiling = static_cast<std::uint32_t>(get(bytes.subspan(5), 4));
  if (old) return spending;
  spending.generation = get(bytes.subspan(9), 8);
  spending.witnessed_seq = get(bytes.subspan(17), 8);
  for (std::size_t i = 0; i < earlier; ++i) {
    std::copy_n(bytes.subspan(header_size + i * id_size).begin(), id_size, spending.earlier_ids.emplace_back().begin());
  }
  return spending;
}

std::uint32_t ceiling_for(const dukpt::DukptDevice& device) {
  const auto current = device.current();
  return current ? later(*current, ceiling_ahead - 1) : dukpt::counter_max;
}

Result<ResumePoint> resume_point(const Spending& spending, const std::optional<RootMark>& mark,
                                 const hal::QueueMarks& queue, hal::Older accepted) {
  const dukpt::InitialKeyId& id = spending.device.initial_key_id();
  const auto was_ours = [&](const dukpt::InitialKeyId& other) {
    return other == id || std::ranges::find(spending.earlier_ids, other) != spending.earlier_ids.end();
  };
  const bool queue_names_key = !queue.queue_was_lost && queue.initial_key_id != dukpt::InitialKeyId{};
  if ((mark && !was_ours(mark->initial_key_id)) || (queue_names_key && !was_ours(queue.initial_key_id))) {
    return failure(Errc::RolledBack, hal::replaced_keys_text);
  }
  const std::uint64_t queue_generation = queue.queue_was_lost ? 0 : queue.vault_generation;
  const std::uint64_t known_generation = std::max(queue_generation, mark ? mark->generation : 0);
  const bool vault_is_older = spending.generation < known_generation;
  if (vault_is_older && !accepts_vault(accepted)) return failure(Errc::RolledBack, hal::older_vault_text);
  const bool queue_is_older = !queue.queue_was_lost && queue.journal_seq < spending.witnessed_seq;
  if (queue_is_older && !accepts_queue(accepted)) return failure(Errc::RolledBack, hal::older_queue_text);

  // Values up to the ceiling may have been spent and have left the box, whatever the queue remembers. That costs a few
  // of two thousand million.
  ResumePoint point{std::max(spending.counter, spending.ceiling), std::max(spending.generation, known_generation)};
  const bool queue_counts_this_key = !queue_names_key || queue.initial_key_id == id;
  if (queue_counts_this_key) point.spent = std::max(point.spent, queue.counter);
  if (mark && mark->initial_key_id == id) point.spent = std::max(point.spent, mark->ceiling);
  if (vault_is_older) point.spent = later(point.spent, margin);
  return point;
}

Result<dukpt::DukptDevice> device_of_block(const Spending& spending, std::string_view tr31_block) {
  const auto kind = dukpt::aes_kind(spending.device.key_size());
  ND_TRY(kind);
  const auto update_key = spending.device.update_key(*kind);
  ND_TRY(update_key);
  const auto block = tr31::unwrap(update_key->view(), tr31_block, {tr31::usage::initial_key});
  ND_TRY(block);
  if (block->header.version != 'D' || block->header.algorithm != 'A') {
    return failure(Errc::InvalidArgument, "the key block does not hold an AES key under an AES key");
  }
  if (block->key.size() > spending.device.key_size()) {
    return failure(Errc::InvalidArgument, "the new initial key is stronger than the key it came under");
  }
  if (!block->known.initial_key_id) return failure(Errc::InvalidArgument, "the key block has no initial key ID (IK)");
  const dukpt::InitialKeyId id = *block->known.initial_key_id;
  if (id == dukpt::InitialKeyId{}) return failure(Errc::InvalidArgument, "the key block's IK is zero");
  if (id == spending.device.initial_key_id() ||
      std::ranges::find(spending.earlier_ids, id) != spending.earlier_ids.end()) {
    return failure(Errc::Conflict, "the initial key ID is this vault's, or was");
  }
  if (spending.earlier_ids.size() >= earlier_max) return failure(Errc::Conflict, "too many initial keys were replaced");
  return dukpt::DukptDevice::load(block->key.view(), id);
}

}  // namespace nightdrop

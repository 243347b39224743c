#include "crypto/vault_erasure.hpp"

#include <algorithm>
#include <array>

#include "crypto/dukpt.hpp"
#include "crypto/vault_files.hpp"

namespace nightdrop {
namespace {

constexpr std::size_t record_size = 8 + 4 + 8;  // IKID, counter, generation

std::array<std::uint8_t, record_size> record_of(const hal::VaultMarks& marks) {
  std::array<std::uint8_t, record_size> record{};
  std::ranges::copy(marks.initial_key_id, record.begin());
  for (std::size_t i = 0; i < 4; ++i) record[8 + i] = static_cast<std::uint8_t>(marks.counter >> (24 - 8 * i));
  for (std::size_t i = 0; i < 8; ++i) record[12 + i] = static_cast<std::uint8_t>(marks.generation >> (56 - 8 * i));
  return record;
}

// The first that failed.
Result<void> first_of(std::initializer_list<Result<void>> results) {
  for (const Result<void>& result : results) ND_TRY(result);
  return {};
}

}  // namespace

Result<void> destroy_card_keys(const VaultDirectory& directory, RootOfTrust& root, const hal::VaultMarks& marks) {
  const auto said = write_sealed(directory, root, vault_files::card_keys_erased, record_of(marks));
  const auto gone = vault_files::destroy_card_keys(directory);
  const auto marked = root.set_mark({marks.initial_key_id, dukpt::counter_max, marks.generation});
  return first_of({said, gone, marked});
}

hal::VaultMarks read_erased_marks(const VaultDirectory& directory, RootOfTrust& root) {
  hal::VaultMarks marks;
  const auto record = read_sealed(directory, root, vault_files::card_keys_erased);
  if (!record || record->size() != record_size) return marks;
  const auto bytes = record->view();
  std::copy_n(bytes.begin(), 8, marks.initial_key_id.begin());
  for (std::size_t i = 8; i < 12; ++i) marks.counter = marks.counter << 8 | bytes[i];
  for (std::size_t i = 12; i < record_size; ++i) marks.generation = marks.generation << 8 | bytes[i];
  return marks;
}

Result<void> destroy_vault(const VaultDirectory& directory, RootOfTrust& root) {
  const auto said = directory.replace(vault_files::erased, {}, 0600);
  const auto root_gone = root.destroy();
  return first_of({said, root_gone, vault_files::destroy_all(directory)});
}

Result<void> finish_erasure(const VaultDirectory& directory, const RootSettings& root) {
  const auto root_gone = destroy_root(directory, root);
  return first_of({root_gone, vault_files::destroy_all(directory)});
}

}  // namespace nightdrop

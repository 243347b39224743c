// Damage: the file is set aside and whatever can be read is carried over into a new one, which takes its place when it
// is whole. The damaged files are never changed; what has to be mended before it can be read is mended in a copy.
#include <algorithm>
#include <system_error>
#include <utility>

#include "store/files.hpp"
#include "store/salvage.hpp"
#include "store/sqlcipher_store.hpp"
#include "store/wal.hpp"

namespace nightdrop {

using store::Database;
using store::Salvage;

// The copy is longer than its original, with nothing in it, so that a file that was cut short still counts its pages.
Result<void> SqlCipherStore::copy_damaged() {
  const auto copy = files_->reading();
  files_->remove(copy);
  std::error_code failed;
  std::filesystem::copy_file(files_->database(), copy, failed);
  if (!failed && std::filesystem::exists(files_->wal()))
    std::filesystem::copy_file(files_->wal(), copy.string() + "-wal", failed);
  constexpr std::uintmax_t longer_min = std::uintmax_t{4} << 20;
  if (!failed) {
    const auto size = std::filesystem::file_size(copy, failed) / store::page_bytes * store::page_bytes;
    if (!failed) std::filesystem::resize_file(copy, size + std::max(size, longer_min), failed);
  }
  if (failed) return std::unexpected(store::os_error(failed.value(), "the damaged queue could not be copied"));
  return {};
}

Result<void> SqlCipherStore::open_damaged(Salvage& found, bool wal_damaged) {
  const auto open = [&](const std::filesystem::path& path) {
    return options_.with_key(
        [&](std::span<const std::uint8_t, 32> key) { return found.from.open(path, key, {options_.vfs, false, true}); });
  };
  auto opened = Result<void>(failure(Errc::Corrupt, "not opened yet"));
  if (!wal_damaged) {
    opened = open(files_->database());
    if (opened || opened.error().code != Errc::Corrupt) return opened;
  }
  ND_TRY(copy_damaged());
  found.from_copy = true;
  if (wal_damaged) {
    auto repaired = store::repair_wal(files_->reading().string() + "-wal", files_->read_mark());
    if (!repaired && repaired.error().code != Errc::Corrupt) return repaired;
  }
  opened = open(files_->reading());
  if (opened || opened.error().code != Errc::Corrupt) return opened;
  if (!files_->restore_first_page(files_->reading())) return opened;
  return open(files_->reading());
}

// Makes `from` a copy that may be bent, for a sweep.
Result<void> SqlCipherStore::sweepable(Salvage& found) {
  if (found.from_copy) return {};
  found.from.close();
  ND_TRY(copy_damaged());
  found.from_copy = true;
  return options_.with_key([&](std::span<const std::uint8_t, 32> key) {
    return found.from.open(files_->reading(), key, {options_.vfs, false, true});
  });
}

Result<void> SqlCipherStore::salvage(bool wal_damaged) {
  db_->close();
  files_->remove(files_->fresh());
  Salvage found;
  const auto steps = [&]() -> Result<void> {
    ND_TRY(connect(*db_, files_->fresh()));
    ND_TRY(db_->execute("PRAGMA journal_mode=WAL"));
    ND_TRY(migrate(*db_));
    head_ = {};
    ND_TRY(db_->execute("BEGIN IMMEDIATE"));
    if (auto opened = open_damaged(found, wal_damaged); opened) {
      ND_TRY(refuse_newer(found.from));
      ND_TRY(salvage_rows(found));
    } else if (opened.error().code != Errc::Corrupt) {
      return opened;
    }
    found.from.close();
    head_.health = found.head ? found.head->health : hal::StoreHealth{};
    head_.health.degraded = true;
    head_.health.carried_over = found.carried;
    head_.health.lost = found.lost;
    head_.health.set_aside_path = files_->next_damaged().string();
    if (!found.head) head_.health.was_lost = true;  // the device's counters are not known
    ND_TRY(write_head());
    ND_TRY(db_->execute("COMMIT"));
    return finish_fresh();
  };
  if (auto done = steps(); !done) {
    db_->close();
    return done;
  }
  ND_TRY(files_->move(files_->fresh(), files_->salvaged()));
  ND_TRY(files_->swap_in_salvaged());
  files_->remove(files_->reading());
  return open_database();
}

}  // namespace nightdrop

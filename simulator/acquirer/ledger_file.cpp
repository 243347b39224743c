#include "simulator/acquirer/ledger_file.hpp"

#include <cerrno>
#include <fstream>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nightdrop/durable_file.hpp"

namespace nightdrop::simulator {

Result<LedgerLines> read_ledger(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return failure(Errc::Io, "the ledger cannot be read", errno);
  std::ostringstream buffer;
  buffer << file.rdbuf();
  const std::string text = std::move(buffer).str();

  LedgerLines lines;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) {
      lines.torn = true;
      break;
    }
    auto record = Json::parse(rest.substr(0, end));
    if (!record || !record->view().is_object()) {
      // The last line may have been torn so that its LF is on the disk and its middle is not.
      if (end + 1 != rest.size()) return failure(Errc::Corrupt, "a line of the ledger is damaged");
      lines.torn = true;
      break;
    }
    lines.records.push_back(*std::move(record));
    lines.bytes += end + 1;
    rest.remove_prefix(end + 1);
  }
  return lines;
}

Result<std::unique_ptr<LedgerFile>> LedgerFile::open(const std::string& directory, LedgerLines& lines) {
  const std::string path = directory + "/" + ledger_name;
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return failure(Errc::Io, "the ledger cannot be opened for writing", errno);
  std::unique_ptr<LedgerFile> ledger(new LedgerFile(file, 0));
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    return failure(Errc::Busy, "another acquirer is using this ledger", errno);
  }
  ND_TRY(sync_folder(directory));
  auto read = read_ledger(path);
  if (!read) return std::unexpected(read.error());
  if (read->torn && ::ftruncate(file, static_cast<off_t>(read->bytes)) != 0) {
    return failure(Errc::Io, "the ledger's torn last line cannot be cut off", errno);
  }
  ledger->bytes_ = read->bytes;
  lines = *std::move(read);
  return ledger;
}

LedgerFile::~LedgerFile() {
  ::close(file_);
}

Result<std::uint64_t> LedgerFile::append(std::string_view line) {
  const std::string whole = std::string(line) + '\n';
  const std::lock_guard lock(mutex_);
  if (broken_) return failure(Errc::Io, "the ledger could not be written before");
  if (!write_all(file_, whole)) {
    const int code = errno;
    if (::ftruncate(file_, static_cast<off_t>(bytes_)) != 0) broken_ = true;
    return failure(code == ENOSPC || code == EDQUOT ? Errc::DiskFull : Errc::Io, "the ledger cannot be written", code);
  }
  bytes_ += whole.size();
  return ++appended_;
}

Result<void> LedgerFile::wait(std::uint64_t ticket) {
  std::unique_lock lock(mutex_);
  while (synced_ < ticket) {
    if (broken_) return failure(Errc::Io, "the ledger could not be synced");
    if (syncing_) {
      synced_changed_.wait(lock);
      continue;
    }
    syncing_ = true;
    const std::uint64_t through = appended_;
    lock.unlock();
    const bool ok = ::fdatasync(file_) == 0;
    lock.lock();
    syncing_ = false;
    // After a failed sync the kernel may have dropped the pages: nothing of it may be promised again.
    if (ok)
      synced_ = through;
    else
      broken_ = true;
    synced_changed_.notify_all();
  }
  return {};
}

}  // namespace nightdrop::simulator

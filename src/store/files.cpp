// The files beside the database. See files.hpp.
#include "store/files.hpp"

#include <cerrno>
#include <cstring>
#include <span>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace nightdrop::store {
namespace {

constexpr std::string_view tag_head = "nightdrop key check 1\n";

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

bool write_all(int fd, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

std::uint64_t check_of(const Mark& mark) {
  return (mark.salts ^ 0x6e696768'7464726fULL) * 0x9E3779B97F4A7C15ULL + mark.frames;
}

}  // namespace

Error os_error(int code, const char* text) {
  switch (code) {
    case EROFS:
    case EACCES:
    case EPERM: return {Errc::ReadOnly, code, "the queue's folder cannot be written"};
    case ENOSPC:
    case EDQUOT: return {Errc::DiskFull, code, "the disk is full"};
    default: return {Errc::Io, code, text};
  }
}

Result<std::unique_ptr<Files>> Files::open(const std::filesystem::path& dir) {
  std::error_code failed;
  if (!std::filesystem::exists(dir, failed)) {
    std::filesystem::create_directories(dir, failed);
    if (failed) return std::unexpected(os_error(failed.value(), "the queue's folder could not be made"));
    ::chmod(dir.c_str(), S_IRWXU);
  }
  std::unique_ptr<Files> files(new Files(dir));
  files->lock_ =
      ::open(files->path("queue.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (files->lock_ < 0) return std::unexpected(os_error(errno, "the queue's lock could not be opened"));
  if (::flock(files->lock_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return failure(Errc::Busy, "another process has the queue");
    return std::unexpected(os_error(errno, "the queue's lock could not be taken"));
  }
  files->mark_ =
      ::open(files->path("queue.mark").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  struct stat status{};
  files->reserved_ = ::stat(files->path("reserve.bin").c_str(), &status) == 0 && status.st_size > 0;
  return files;
}

Files::~Files() {
  if (mark_ >= 0) ::close(mark_);
  if (lock_ >= 0) ::close(lock_);
}

std::optional<Files::Tag> Files::key_tag() const {
  const Descriptor file(::open(path("queue.keycheck").c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return std::nullopt;
  std::array<std::uint8_t, tag_head.size() + sizeof(Tag)> bytes{};
  if (::read(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) return std::nullopt;
  if (std::memcmp(bytes.data(), tag_head.data(), tag_head.size()) != 0) return std::nullopt;
  Tag tag{};
  std::memcpy(tag.data(), bytes.data() + tag_head.size(), tag.size());
  return tag;
}

Result<void> Files::write_key_tag(const Tag& tag) const {
  std::vector<std::uint8_t> bytes(tag_head.begin(), tag_head.end());
  bytes.insert(bytes.end(), tag.begin(), tag.end());
  const auto temporary = path("queue.keycheck.new");
  {
    const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (file.get() < 0 || !write_all(file.get(), bytes) || ::fsync(file.get()) != 0) {
      return std::unexpected(os_error(errno, "the queue's key check could not be written"));
    }
  }
  return move(temporary, path("queue.keycheck"));
}

std::optional<Mark> Files::read_mark() const {
  const Descriptor file(::open(path("queue.mark").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<std::uint64_t, 3> words{};
  if (file.get() < 0 || ::read(file.get(), words.data(), sizeof words) != static_cast<ssize_t>(sizeof words))
    return std::nullopt;
  const Mark mark{words[0], words[1]};
  if (words[2] != check_of(mark)) return std::nullopt;
  return mark;
}

void Files::write_mark(const Mark& mark) const {
  const std::array<std::uint64_t, 3> words{mark.salts, mark.frames, check_of(mark)};
  if (mark_ < 0) return;
  [[maybe_unused]] const ssize_t written = ::pwrite(mark_, words.data(), sizeof words, 0);
}

void Files::keep_first_page(std::span<const std::uint8_t> page) const {
  if (page.size() != page_bytes) return;
  const Descriptor file(
      ::open(path("queue.page1").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
  if (file.get() >= 0) [[maybe_unused]]
    const bool written = write_all(file.get(), page);
}

bool Files::restore_first_page(const std::filesystem::path& to) const {
  const Descriptor from(::open(path("queue.page1").c_str(), O_RDONLY | O_CLOEXEC));
  const Descriptor file(::open(to.c_str(), O_WRONLY | O_CLOEXEC));
  std::array<std::uint8_t, page_bytes> page{};
  if (from.get() < 0 || file.get() < 0 ||
      ::read(from.get(), page.data(), page.size()) != static_cast<ssize_t>(page.size()))
    return false;
  return write_all(file.get(), page);
}

std::optional<std::uint64_t> Files::free_bytes() const {
  struct statvfs disk{};
  if (::statvfs(dir_.c_str(), &disk) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

void Files::make_reserve(std::uint64_t bytes) {
  if (bytes == 0) return;
  const Descriptor file(::open(path("reserve.bin").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (file.get() < 0) return;
  if (::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes)) == 0) {
    reserved_ = true;
  } else {
    release_reserve();
  }
}

void Files::release_reserve() {
  ::unlink(path("reserve.bin").c_str());
  reserved_ = false;
}

Result<void> Files::move(const std::filesystem::path& from, const std::filesystem::path& to) const {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return std::unexpected(os_error(errno, "a file of the queue could not be renamed"));
  return sync_folder();
}

Result<void> Files::sync_folder() const {
  const Descriptor folder(::open(dir_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0)
    return std::unexpected(os_error(errno, "the queue's folder could not be synced"));
  return {};
}

void Files::remove(const std::filesystem::path& file) const {
  for (const char* suffix : {"", "-wal", "-journal", "-shm"}) ::unlink((file.string() + suffix).c_str());
}

std::filesystem::path Files::next_damaged() const {
  for (int n = 1;; ++n) {
    auto candidate = dir_ / ("queue.damaged-" + std::to_string(n));
    std::error_code failed;
    if (!std::filesystem::exists(candidate, failed) && !std::filesystem::exists(candidate.string() + "-wal", failed))
      return candidate;
  }
}

// The WAL goes first, and queue.salvaged stands until the end: a power cut between two steps leaves either the old
// pair, or a state in which open() finds queue.salvaged and does the rest. The old database is never read again without
// its WAL.
Result<std::filesystem::path> Files::swap_in_salvaged() const {
  std::error_code failed;
  std::filesystem::path aside = next_damaged();
  if (!std::filesystem::exists(wal(), failed) && std::filesystem::exists(database(), failed)) {
    // The WAL may have been set aside before a power cut: the database belongs beside it.
    for (int n = 1;; ++n) {
      const auto candidate = dir_ / ("queue.damaged-" + std::to_string(n));
      const bool wal_there = std::filesystem::exists(candidate.string() + "-wal", failed);
      const bool file_there = std::filesystem::exists(candidate, failed);
      if (wal_there && !file_there) aside = candidate;
      if (!wal_there && !file_there) break;
    }
  }
  if (std::filesystem::exists(wal(), failed)) ND_TRY(move(wal(), aside.string() + "-wal"));
  if (std::filesystem::exists(database(), failed)) ND_TRY(move(database(), aside));
  ND_TRY(move(salvaged(), database()));
  return aside;
}

}  // namespace nightdrop::store

#include "provisioning/home_files.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

#include "provisioning/descriptor.hpp"

namespace nightdrop::provisioning {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t text_max = 256 * 1024;

std::unexpected<Error> io_failure(const char* text) {
  const int native = errno;
  if (native == ENOENT) return failure(Errc::NotFound, text, native);
  if (native == ENOSPC || native == EDQUOT) return failure(Errc::DiskFull, text, native);
  return failure(Errc::Io, text, native);
}

bool write_all(int descriptor, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(descriptor, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return true;
}

// Zeros over the whole file: best effort, since flash and copying file systems may keep the old blocks.
void overwrite(const fs::path& file) {
  const Descriptor open(::open(file.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat facts{};
  if (!open.valid() || ::fstat(open.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return;
  const std::vector<std::uint8_t> zeros(std::min<std::size_t>(static_cast<std::size_t>(facts.st_size), 1 << 20));
  for (off_t left = facts.st_size; left > 0; left -= static_cast<off_t>(zeros.size())) {
    const auto size = std::min(zeros.size(), static_cast<std::size_t>(left));
    if (!write_all(open.get(), std::span(zeros).first(size))) return;
  }
  (void)::fsync(open.get());
}

// Whether there was anything.
Result<bool> remove_tree(const fs::path& path) {
  struct stat facts{};
  if (::lstat(path.c_str(), &facts) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return io_failure("a file of the reader's home cannot be looked at");
  }
  if (!S_ISDIR(facts.st_mode)) {
    if (facts.st_size != 0) overwrite(path);
    if (::unlink(path.c_str()) != 0) return io_failure("a file of the reader's home cannot be removed");
    return true;
  }
  std::error_code error;
  std::vector<fs::path> inside;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    inside.push_back(at->path());
  }
  if (error) return failure(Errc::Io, "a folder of the reader's home cannot be read", error.value());
  for (const fs::path& one : inside) ND_TRY(remove_tree(one));
  if (::rmdir(path.c_str()) != 0) return io_failure("a folder of the reader's home cannot be removed");
  return true;
}

}  // namespace

Result<void> sync_folder(const fs::path& folder) {
  const Descriptor open(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!open.valid() || ::fsync(open.get()) != 0) return io_failure("a folder of the reader's home is not durable");
  return {};
}

Result<void> make_private_folder(const fs::path& folder) {
  std::error_code error;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return io_failure("a folder cannot be made");
  return sync_folder(folder.has_parent_path() ? folder.parent_path() : fs::path("."));
}

Result<void> write_new(const fs::path& file, std::span<const std::uint8_t> bytes) {
  const Descriptor open(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!open.valid()) return io_failure("a file of the reader's home cannot be made");
  if (!write_all(open.get(), bytes) || ::fsync(open.get()) != 0) {
    return io_failure("a file of the reader's home cannot be written");
  }
  return {};
}

Result<void> write_durably(const fs::path& file, std::span<const std::uint8_t> bytes) {
  const fs::path temporary = file.string() + ".part";
  (void)::unlink(temporary.c_str());
  ND_TRY(write_new(temporary, bytes));
  ND_TRY(move(temporary, file));
  return sync_folder(file.parent_path());
}

Result<std::string> read_text(const fs::path& file) {
  const Descriptor open(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!open.valid()) return io_failure("the file cannot be opened");
  std::string text(text_max + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(open.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_failure("the file cannot be read");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > text_max) return failure(Errc::Corrupt, "a file of the reader's home is too long");
  text.resize(size);
  return text;
}

Result<void> move(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT) return io_failure("a file cannot be moved");
  return {};
}

Result<void> destroy(const fs::path& path) {
  const auto gone = remove_tree(path);
  ND_TRY(gone);
  if (!*gone) return {};
  return sync_folder(path.parent_path());
}

}  // namespace nightdrop::provisioning

#include "provisioning/home_files.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

#include "nightdrop/durable_file.hpp"

namespace nightdrop::provisioning {
namespace {

namespace fs = std::filesystem;

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
    return os_failure("a file of the reader's home cannot be looked at");
  }
  if (!S_ISDIR(facts.st_mode)) {
    if (facts.st_size != 0) overwrite(path);
    if (::unlink(path.c_str()) != 0) return os_failure("a file of the reader's home cannot be removed");
    return true;
  }
  std::error_code error;
  std::vector<fs::path> inside;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    inside.push_back(at->path());
  }
  if (error) return failure(Errc::Io, "a folder of the reader's home cannot be read", error.value());
  for (const fs::path& one : inside) ND_TRY(remove_tree(one));
  if (::rmdir(path.c_str()) != 0) return os_failure("a folder of the reader's home cannot be removed");
  return true;
}

}  // namespace

Result<void> make_private_folder(const fs::path& folder) {
  std::error_code error;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return os_failure("a folder cannot be made");
  return sync_folder(folder.parent_path());
}

Result<void> move(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT) return os_failure("a file cannot be moved");
  return {};
}

Result<void> destroy(const fs::path& path) {
  const auto gone = remove_tree(path);
  ND_TRY(gone);
  if (!*gone) return {};
  return sync_folder(path.parent_path());
}

}  // namespace nightdrop::provisioning

#include "crypto/vault_directory.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nightdrop/durable_file.hpp"

namespace nightdrop {
namespace {

constexpr std::size_t size_max = 64 * 1024;
constexpr std::string_view temporary_suffix = ".new";

// Opens a file to be overwritten, also one that its owner may only read, as root.key; -1 where it cannot be.
int open_to_overwrite(int directory, const char* name) {
  const Descriptor there(::openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (there.valid()) (void)::fchmod(there.get(), 0600);
  return ::openat(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

// Writes zeros over a file that has lost its name. Nothing depends on it, so its failures are let go.
void overwrite(int descriptor) {
  struct stat facts{};
  if (descriptor < 0 || ::fstat(descriptor, &facts) != 0 || facts.st_nlink != 0) return;
  const std::vector<std::uint8_t> zeros(std::min<std::size_t>(static_cast<std::size_t>(facts.st_size), size_max));
  if (write_all(descriptor, zeros)) ::fdatasync(descriptor);
}

}  // namespace

Result<void> VaultDirectory::make(const std::filesystem::path& path) {
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return os_failure("the vault's directory cannot be made");
  if (::chmod(path.c_str(), 0700) != 0) return os_failure("the vault's directory cannot be made private");
  const auto above = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const Descriptor parent(::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent.valid() || ::fsync(parent.get()) != 0) return os_failure("the vault's directory is not durable");
  return {};
}

Result<VaultDirectory> VaultDirectory::open(const std::filesystem::path& path) {
  VaultDirectory directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.descriptor_ < 0) return os_failure("the vault's directory cannot be opened");
  return directory;
}

Result<VaultDirectory> VaultDirectory::open_locked(const std::filesystem::path& path) {
  auto directory = open(path);
  ND_TRY(directory);
  if (::flock(directory->descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return failure(Errc::Busy, "the vault is in use", errno);
    return os_failure("the vault cannot be locked");
  }
  return directory;
}

VaultDirectory::VaultDirectory(VaultDirectory&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

VaultDirectory::~VaultDirectory() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool VaultDirectory::has(const char* name) const {
  return ::faccessat(descriptor_, name, F_OK, 0) == 0;
}

Result<SecretBytes> VaultDirectory::read(const char* name, bool private_only) const {
  const Descriptor file(::openat(descriptor_, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return os_failure("a file of the vault cannot be opened");
  struct stat facts{};
  if (::fstat(file.get(), &facts) != 0) return os_failure("a file of the vault cannot be looked at");
  if (private_only && (facts.st_mode & 077U) != 0) {
    return failure(Errc::InvalidArgument, "the file of the root key can be read by others than its owner");
  }
  const auto size = static_cast<std::size_t>(facts.st_size);
  if (size > size_max) return failure(Errc::Corrupt, "a file of the vault is too long");
  SecretBytes bytes(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(file.get(), bytes.writable().data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return os_failure("a file of the vault cannot be read");
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

Result<void> VaultDirectory::replace(const char* name, std::span<const std::uint8_t> bytes, unsigned mode) const {
  const std::string temporary = std::string(name).append(temporary_suffix);
  ::unlinkat(descriptor_, temporary.c_str(), 0);  // of a power cut
  {
    const Descriptor file(::openat(descriptor_, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!file.valid()) return os_failure("a file of the vault cannot be made");
    if (!write_all(file.get(), bytes) || ::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0) {
      const auto failed = os_failure("a file of the vault cannot be written");
      ::unlinkat(descriptor_, temporary.c_str(), 0);
      return failed;
    }
  }
  const Descriptor old(::openat(descriptor_, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW));  // none the first time
  if (::renameat(descriptor_, temporary.c_str(), descriptor_, name) != 0) {
    const auto failed = os_failure("a file of the vault cannot be replaced");
    ::unlinkat(descriptor_, temporary.c_str(), 0);
    return failed;
  }
  if (::fsync(descriptor_) != 0) return os_failure("the vault's directory cannot be written");
  overwrite(old.get());
  return {};
}

void VaultDirectory::remove_leftovers() const {
  const int again = ::openat(descriptor_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const listing = again < 0 ? nullptr : ::fdopendir(again);
  if (listing == nullptr) {
    if (again >= 0) ::close(again);
    return;
  }
  while (const dirent* const entry = ::readdir(listing)) {
    if (std::string_view(entry->d_name).ends_with(temporary_suffix)) ::unlinkat(descriptor_, entry->d_name, 0);
  }
  ::closedir(listing);
}

Result<void> VaultDirectory::destroy(const char* name) const {
  bool done = true;
  for (const std::string& each : {std::string(name), std::string(name).append(temporary_suffix)}) {
    const Descriptor file(open_to_overwrite(descriptor_, each.c_str()));
    if (!file.valid() && errno == ENOENT) continue;
    done = file.valid() && done;  // its name goes all the same, but its bytes stay
    struct stat facts{};
    if (file.valid() && ::fstat(file.get(), &facts) == 0 && S_ISREG(facts.st_mode)) {
      const auto size = std::min<std::size_t>(static_cast<std::size_t>(facts.st_size), size_max);
      const std::vector<std::uint8_t> zeros(size);
      done = write_all(file.get(), zeros) && ::fdatasync(file.get()) == 0 && done;
    }
    done = ::unlinkat(descriptor_, each.c_str(), 0) == 0 && done;
  }
  done = ::fsync(descriptor_) == 0 && done;
  if (!done) return os_failure("a file of the vault cannot be destroyed");
  return {};
}

}  // namespace nightdrop

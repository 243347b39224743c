// Reading and writing whole files with POSIX calls, so that mode, fsync and what failed are exactly known.
#include "keys/files.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nightdrop::keys {
namespace {

constexpr std::size_t size_max = 1 << 20;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_;
};

std::unexpected<Refusal> refuse_io(Exit exit, const std::filesystem::path& file) {
  return refuse(exit, file.string() + ": " + std::strerror(errno));
}

bool write_all(int descriptor, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

bool sync_folder(const std::filesystem::path& folder) {
  const Descriptor descriptor(open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return descriptor.is_open() && fsync(descriptor.number()) == 0;
}

}  // namespace

Outcome<SecretBytes> read_secret_file(const std::filesystem::path& file) {
  const Descriptor descriptor(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!descriptor.is_open()) return refuse_io(Exit::NoInput, file);
  SecretBytes bytes(size_max + 1);
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = read(descriptor.number(), bytes.writable().data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return refuse_io(Exit::NoInput, file);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > size_max) return refuse(Exit::NoInput, file.string() + ": is too large");
  bytes.truncate(size);
  return Outcome<SecretBytes>(std::move(bytes));
}

Outcome<std::string> read_file(const std::filesystem::path& file) {
  const auto bytes = read_secret_file(file);
  if (!bytes) return std::unexpected(bytes.error());
  return std::string(bytes->view().begin(), bytes->view().end());
}

Outcome<void> write_file(const std::filesystem::path& file, std::span<const std::uint8_t> bytes) {
  const std::filesystem::path fresh = file.string() + ".new";
  unlink(fresh.c_str());
  {
    const Descriptor descriptor(open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!descriptor.is_open()) return refuse_io(Exit::CannotCreate, fresh);
    if (!write_all(descriptor.number(), bytes) || fsync(descriptor.number()) != 0) {
      const auto refusal = refuse_io(Exit::CannotCreate, fresh);
      unlink(fresh.c_str());
      return refusal;
    }
  }
  if (rename(fresh.c_str(), file.c_str()) != 0 || !sync_folder(file.parent_path())) {
    return refuse_io(Exit::CannotCreate, file);
  }
  return {};
}

Outcome<void> write_file(const std::filesystem::path& file, std::string_view text) {
  return write_file(file, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

Outcome<void> make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return refuse(Exit::CannotCreate, folder.string() + ": " + error.message());
  if (chmod(folder.c_str(), 0700) != 0) return refuse_io(Exit::CannotCreate, folder);
  return {};
}

}  // namespace nightdrop::keys

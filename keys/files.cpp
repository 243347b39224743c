// Reading and writing whole files with POSIX calls, so that mode, fsync and what failed are exactly known.
#include "keys/files.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nightdrop/durable_file.hpp"

namespace nightdrop::keys {
namespace {

constexpr std::size_t size_max = 1 << 20;

std::unexpected<Refusal> refuse_io(Exit exit, const std::filesystem::path& file) {
  return refuse(exit, file.string() + ": " + std::strerror(errno));
}

}  // namespace

Outcome<SecretBytes> read_secret_file(const std::filesystem::path& file) {
  const Descriptor descriptor(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!descriptor.valid()) return refuse_io(Exit::NoInput, file);
  SecretBytes bytes(size_max + 1);
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = read(descriptor.get(), bytes.writable().data() + size, bytes.size() - size);
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
  const auto replaced = replace_file(file, bytes);
  if (replaced) return {};
  return refuse(Exit::CannotCreate, file.string() + ": " + std::strerror(replaced.error().native));
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

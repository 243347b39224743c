#include "firmware/nightdropd/sealed_exports.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "nightdrop/time_text.hpp"

namespace nightdrop::firmware {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> os_failure(const char* text) {
  return failure(errno == ENOSPC ? Errc::DiskFull : Errc::Io, text, errno);
}

bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::fsync(file) == 0;
}

// 20261121T194003123Z: sorts as time does.
std::string compact(UtcMs at) {
  std::string text = rfc3339(at);
  std::erase_if(text, [](char c) { return c == '-' || c == ':' || c == '.'; });
  return text;
}

Result<void> sync_folder(const fs::path& folder) {
  const int opened = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return os_failure("the folder of the sealed export cannot be opened");
  const bool synced = ::fsync(opened) == 0;
  const auto failed = synced ? Result<void>() : os_failure("the folder of the sealed export cannot be synced");
  (void)::close(opened);
  return failed;
}

}  // namespace

Result<void> keep_sealed_export(const fs::path& folder, std::string_view text, UtcMs at) {
  const fs::path name = folder / ("sealed-export-" + compact(at) + ".ndjson");
  const fs::path fresh = name.string() + ".partial";
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return os_failure("the sealed export cannot be made");
  const auto written = write_all(file, text) ? Result<void>() : os_failure("the sealed export cannot be written");
  (void)::close(file);
  if (!written || ::rename(fresh.c_str(), name.c_str()) != 0) {
    const auto failed = written ? os_failure("the sealed export cannot be put in place") : written;
    (void)::unlink(fresh.c_str());
    return failed;
  }
  return sync_folder(folder);
}

std::optional<fs::path> newest_sealed_export(const fs::path& folder) {
  std::optional<fs::path> newest;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("sealed-export-") || !name.ends_with(".ndjson")) continue;
    if (!newest || *newest < entry.path()) newest = entry.path();
  }
  return newest;
}

}  // namespace nightdrop::firmware

#include "firmware/nightdropd/sealed_exports.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "nightdrop/durable_file.hpp"
#include "nightdrop/time_text.hpp"

namespace nightdrop::firmware {
namespace {

namespace fs = std::filesystem;

// 20261121T194003123Z: sorts as time does.
std::string compact(UtcMs at) {
  std::string text = rfc3339(at);
  std::erase_if(text, [](char c) { return c == '-' || c == ':' || c == '.'; });
  return text;
}

}  // namespace

Result<void> keep_sealed_export(const fs::path& folder, std::string_view text, UtcMs at) {
  const fs::path name = folder / ("sealed-export-" + compact(at) + ".ndjson");
  return replace_file(name, text);
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

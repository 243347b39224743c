// Small JSON files in which the simulated world outlives the process. They are written whole beside the old one and
// renamed over it, so a kill leaves one or the other; a power cut may take them, which the real world would not mind.
#pragma once

#include <optional>
#include <string>

#include "json/json.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::hal {

// Errors: Io.
Result<void> write_sim_state(const std::string& path, JsonView state);
// The object in the file; nothing when there is no file or it holds none.
std::optional<Json> read_sim_state(const std::string& path);

}  // namespace nightdrop::hal

// Written whole and renamed, so that a reader sees the old state or the new one.
#include "hal/sim/sim_state_file.hpp"

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace nightdrop::hal {

Result<void> write_sim_state(const std::string& path, JsonView state) {
  const std::string next = path + ".new";
  {
    std::ofstream file(next, std::ios::binary | std::ios::trunc);
    file << state.dump() << '\n';
    file.close();
    if (!file) return failure(Errc::Io, "the simulated world's state cannot be written", errno);
  }
  if (std::rename(next.c_str(), path.c_str()) != 0) {
    return failure(Errc::Io, "the simulated world's state cannot be put in its place", errno);
  }
  return {};
}

std::optional<Json> read_sim_state(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  auto state = Json::parse(text.str());
  if (!state || !state->view().is_object()) return std::nullopt;
  return std::move(*state);
}

}  // namespace nightdrop::hal

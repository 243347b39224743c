// Policies to begin with, for three kinds of house. Each number is argued in docs/policy.md; merchant, times and
// managers are left open, and an acquirer's ceiling may ask for less.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/policy.hpp"

namespace nightdrop::keys {

struct Preset {
  std::string_view name;
  std::string_view about;  // one line
};

const std::vector<Preset>& presets();

// The defaults with the preset's numbers; nothing when there is no such preset.
std::optional<Policy> preset_policy(std::string_view name);

}  // namespace nightdrop::keys

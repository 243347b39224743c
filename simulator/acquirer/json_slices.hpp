// Members of a JSON object, or the elements of an array in it, as the bytes they were sent as.
#pragma once

#include <string_view>
#include <vector>

namespace nightdrop::simulator {

// The elements of the array that is the member `name` of the object `text`, without white space around them; none where
// there is no such array. Requires: `text` is valid JSON. Lifetime: as long as `text`.
std::vector<std::string_view> array_slices(std::string_view text, std::string_view name);

// The value of the member `name` of the object `text`, without white space around it; empty where there is none.
// Requires and lifetime: as above.
std::string_view member_slice(std::string_view text, std::string_view name);

}  // namespace nightdrop::simulator

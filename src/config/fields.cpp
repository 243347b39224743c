// Strict reading of one JSON object; see fields.hpp. Messages name fields and ranges, never the value that was met: a
// document may hold what nobody should print.
#include "config/fields.hpp"

#include <algorithm>

namespace nightdrop::config {
namespace {

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

}  // namespace

void Problem::note(std::string_view at, std::string_view sentence) {
  if (found()) return;
  field = at;
  what = sentence;
}

Fields::Fields(JsonView object, std::string path, Problem& problem)
    : object_(object), path_(std::move(path)), problem_(problem) {
  if (object.exists() && !object.is_object()) problem_.note(path_, "must be an object");
  std::set<std::string_view> seen;
  for (const JsonView member : object.is_object() ? object.items() : std::vector<JsonView>{}) {
    if (!seen.insert(member.key()).second) refuse(member.key(), "is given twice");
  }
}

Fields::~Fields() {
  if (!object_.is_object()) return;
  for (const JsonView member : object_.items()) {
    if (!asked_.contains(member.key())) refuse(member.key(), "is an unknown key");
  }
}

JsonView Fields::take(std::string_view key) {
  asked_.emplace(key);
  return object_[key];
}

void Fields::require(std::string_view key) {
  if (!take(key).exists()) refuse(key, "is missing");
}

void Fields::integer(std::string_view key, std::int64_t& into, std::int64_t min, std::int64_t max) {
  const JsonView value = take(key);
  if (!value.exists()) return;
  const auto number = value.integer();
  if (!number || *number < min || *number > max) {
    refuse(key, "must be an integer from " + std::to_string(min) + " to " + std::to_string(max));
    return;
  }
  into = *number;
}

void Fields::boolean(std::string_view key, bool& into) {
  const JsonView value = take(key);
  if (!value.exists()) return;
  if (const auto flag = value.boolean()) {
    into = *flag;
  } else {
    refuse(key, "must be true or false");
  }
}

void Fields::text(std::string_view key, std::string& into, std::size_t max) {
  const JsonView value = take(key);
  if (!value.exists()) return;
  const auto text = value.string();
  if (!text || text->empty() || text->size() > max || !is_printable(*text)) {
    refuse(key, "must be a text of 1 to " + std::to_string(max) + " printable ASCII characters");
    return;
  }
  into = *text;
}

void Fields::texts(std::string_view key, std::vector<std::string>& into, std::size_t max_count) {
  const JsonView value = take(key);
  if (!value.exists()) return;
  if (!value.is_array() || value.size() > max_count) {
    refuse(key, "must be a list of at most " + std::to_string(max_count) + " texts");
    return;
  }
  std::vector<std::string> all;
  for (const JsonView item : value.items()) {
    const auto text = item.string();
    if (!text || !is_printable(*text)) {
      refuse(key, "must be a list of texts");
      return;
    }
    all.emplace_back(*text);
  }
  into = std::move(all);
}

}  // namespace nightdrop::config

// Strict reading of one JSON object: every member is asked for by name with its allowed range, and what nobody asked
// for is refused with its name, so that a misspelt limit is never ignored. The first problem found is kept; later reads
// are then harmless, so a reader asks for all its members in a row and looks at the problem once.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::config {

// The first problem of a document: which field, and what is wrong with it.
struct Problem {
  std::string field;  // dotted: currencies.usd.per_transaction; empty for the document itself
  std::string what;
  bool above_ceiling{false};

  bool found() const { return !what.empty(); }
  std::string sentence() const { return field.empty() ? what : field + ": " + what; }
  void note(std::string_view at, std::string_view sentence);
};

class Fields {
 public:
  // Lifetime: `problem` outlives the Fields. An absent `object` reads as empty; another type of value is a problem.
  Fields(JsonView object, std::string path, Problem& problem);
  // What was not asked for is a problem.
  ~Fields();
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  // Each leaves `into` alone where the member is absent or wrong; a wrong one is a problem.
  // Integers are within `min` and `max`, both included; texts have 1 to `max` bytes of printable ASCII.
  void integer(std::string_view key, std::int64_t& into, std::int64_t min, std::int64_t max);
  void boolean(std::string_view key, bool& into);
  void text(std::string_view key, std::string& into, std::size_t max = 255);
  template <class Enum>
  void choice(std::string_view key, Enum& into, const std::vector<std::pair<std::string_view, Enum>>& choices);
  void texts(std::string_view key, std::vector<std::string>& into, std::size_t max_count);
  // The member itself; marks it as asked for.
  JsonView take(std::string_view key);
  bool has(std::string_view key) { return take(key).exists(); }
  void require(std::string_view key);

  std::string name(std::string_view key) const {
    return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
  }
  void refuse(std::string_view key, std::string_view sentence) { problem_.note(name(key), sentence); }
  Problem& problem() { return problem_; }

 private:
  JsonView object_;
  std::string path_;
  Problem& problem_;
  std::set<std::string, std::less<>> asked_;
};

// Whether all of `text` is made of `allowed`, and there is some.
inline bool only(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}
inline constexpr std::string_view digits = "0123456789";
inline constexpr std::string_view id_characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

template <class Enum>
void Fields::choice(std::string_view key, Enum& into, const std::vector<std::pair<std::string_view, Enum>>& choices) {
  const JsonView value = take(key);
  if (!value.exists()) return;
  std::string allowed;
  for (const auto& [word, meaning] : choices) {
    if (value.string() == word) {
      into = meaning;
      return;
    }
    allowed += (allowed.empty() ? "\"" : ", \"") + std::string(word) + "\"";
  }
  refuse(key, "must be one of " + allowed);
}

}  // namespace nightdrop::config

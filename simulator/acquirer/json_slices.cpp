#include "simulator/acquirer/json_slices.hpp"

#include <cstddef>
#include <string>

namespace nightdrop::simulator {
namespace {

constexpr std::string_view space = " \t\r\n";

// Walks over valid JSON one value at a time.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  bool done() const { return at_ >= text_.size(); }
  char peek() {
    at_ = std::min(text_.find_first_not_of(space, at_), text_.size());
    return done() ? '\0' : text_[at_];
  }
  bool take(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }
  // The bytes of the value that begins here, up to the comma or bracket that ends it.
  std::string_view value() {
    peek();
    const std::size_t start = at_;
    int depth = 0;
    while (!done()) {
      const char c = text_[at_];
      if (c == '"') {
        skip_string();
        continue;
      }
      if (depth == 0 && (c == ',' || c == ']' || c == '}' || c == ':')) break;
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      ++at_;
    }
    const std::string_view found = text_.substr(start, at_ - start);
    return found.substr(0, found.find_last_not_of(space) + 1);
  }

 private:
  void skip_string() {
    for (++at_; !done() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    ++at_;
  }

  std::string_view text_;
  std::size_t at_{0};
};

}  // namespace

std::vector<std::string_view> array_slices(std::string_view text, std::string_view name) {
  const std::string quoted = '"' + std::string(name) + '"';
  std::vector<std::string_view> slices;
  Walker walker(text);
  if (!walker.take('{')) return slices;
  while (!walker.done() && walker.peek() != '}') {
    const bool wanted = walker.value() == quoted;
    if (!walker.take(':')) return slices;
    if (wanted && walker.take('[')) {
      while (!walker.done() && walker.peek() != ']') {
        slices.push_back(walker.value());
        walker.take(',');
      }
      return slices;
    }
    walker.value();
    walker.take(',');
  }
  return slices;
}

std::string_view member_slice(std::string_view text, std::string_view name) {
  const std::string quoted = '"' + std::string(name) + '"';
  Walker walker(text);
  if (!walker.take('{')) return {};
  while (!walker.done() && walker.peek() != '}') {
    const bool wanted = walker.value() == quoted;
    if (!walker.take(':')) return {};
    const std::string_view value = walker.value();
    if (wanted) return value;
    walker.take(',');
  }
  return {};
}

}  // namespace nightdrop::simulator

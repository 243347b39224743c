// cJSON, owned and typed: a document that is parsed strictly or built up, and cheap views into it.
// Integers are exact and below 10^15. Strings are UTF-8; parse() refuses other bytes, NUL, anything after the document
// and what RFC 8259 does not know. Of members with the same name the first counts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/result.hpp"

struct cJSON;

namespace nightdrop {

class Json;

// A value inside a Json; valid as long as the Json is and is not changed. Missing values are null views.
class JsonView {
 public:
  JsonView() = default;
  explicit JsonView(const cJSON* node) : node_(node) {}

  bool exists() const { return node_ != nullptr; }
  bool is_null() const;
  bool is_object() const;
  bool is_array() const;
  bool is_string() const;
  bool is_bool() const;
  bool is_integer() const;  // a number without a fraction, of at most 15 digits

  std::optional<std::string_view> string() const;
  // Overwrites a string's characters in the document: for a PIN that was read out of it.
  void wipe_string() const;
  std::optional<std::int64_t> integer() const;
  std::optional<bool> boolean() const;

  JsonView operator[](std::string_view key) const;  // null view when absent or no object
  std::vector<JsonView> items() const;              // of an array or an object
  std::string_view key() const;                     // of an object's member
  std::size_t size() const;
  std::string dump() const;
  std::string dump_pretty() const;
  Json copy() const;

 private:
  friend class Json;
  const cJSON* node_{nullptr};
};

class Json {
 public:
  static Result<Json> parse(std::string_view text);  // Errors: Malformed
  static Json object();
  static Json array();
  static Json null();
  static Json string(std::string_view value);
  static Json integer(std::int64_t value);
  static Json boolean(bool value);

  Json() : Json(null()) {}
  Json(Json&& other) noexcept;
  Json& operator=(Json&& other) noexcept;
  Json(const Json&) = delete;
  Json& operator=(const Json&) = delete;
  ~Json();

  JsonView view() const { return JsonView(node_); }
  JsonView operator[](std::string_view key) const { return view()[key]; }
  std::string dump() const { return view().dump(); }

  // Builders; each replaces a member of that name. They give *this back for chaining.
  Json& set(std::string_view key, Json value);
  Json& set(std::string_view key, JsonView value) { return set(key, value.copy()); }
  Json& set(std::string_view key, std::string_view value) { return set(key, string(value)); }
  Json& set(std::string_view key, const char* value) { return set(key, string(value)); }
  Json& set(std::string_view key, const std::string& value) { return set(key, string(value)); }
  Json& set(std::string_view key, std::int64_t value) { return set(key, integer(value)); }
  Json& set(std::string_view key, std::uint64_t value) { return set(key, integer(static_cast<std::int64_t>(value))); }
  Json& set(std::string_view key, int value) { return set(key, integer(value)); }
  Json& set(std::string_view key, unsigned value) { return set(key, integer(value)); }
  Json& set(std::string_view key, bool value) { return set(key, boolean(value)); }
  Json& set(std::string_view key, std::nullptr_t) { return set(key, null()); }
  template <class T>
  Json& set(std::string_view key, const std::optional<T>& value) {
    return value ? set(key, *value) : set(key, nullptr);
  }
  Json& push(Json value);

 private:
  explicit Json(cJSON* node) : node_(node) {}
  cJSON* node_{nullptr};
  friend class JsonView;
};

}  // namespace nightdrop

// The params of one POS request, read strictly: every field is asked for by name with its range, and what was not asked
// for is refused, so that a misspelt limit is never ignored. The first thing wrong is remembered and names its field.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json/json.hpp"
#include "nightdrop/payment.hpp"
#include "nightdrop/secret.hpp"
#include "nightdrop/words.hpp"
#include "terminal/pos_error.hpp"

namespace nightdrop::pos {

class Params {
 public:
  explicit Params(JsonView params) : params_(params) {}

  // Required values; a default-made one where it is missing or wrong (see error()).
  std::string text(const char* key, std::size_t max);
  std::int64_t integer(const char* key, std::int64_t min, std::int64_t max);
  Currency currency(const char* key);
  std::string printable(const char* key, std::size_t max);  // printable ASCII
  SecretBytes pin(const char* key);                         // 4 to 12 digits

  std::optional<std::string> optional_text(const char* key, std::size_t max, std::size_t min = 1);
  // Free text that a person may have typed; refused where a card number hides in it, without repeating it.
  std::string optional_prose(const char* key, std::size_t max);
  std::optional<std::int64_t> optional_integer(const char* key, std::int64_t min, std::int64_t max);
  std::optional<bool> optional_boolean(const char* key);
  template <class Enum>
  std::optional<Enum> optional_word(const char* key) {
    const auto found = optional_text(key, 64);
    if (!found) return std::nullopt;
    const auto value = from_word<Enum>(*found);
    if (!value) fail(key, "is none of the words allowed");
    return value;
  }
  std::optional<std::int64_t> tip();  // amount_details{tip}
  std::vector<std::pair<std::string, std::string>> metadata();
  std::vector<std::string> texts(const char* key, std::size_t count_max, std::size_t max);
  JsonView array(const char* key, std::size_t count_max);
  bool has(const char* key);

  void fail(const char* key, const char* what);
  // Call after all fields were asked for. Nothing when all is well.
  std::optional<terminal::PosError> error();

 private:
  JsonView take(const char* key);
  JsonView params_;
  std::vector<std::string> known_;
  std::optional<terminal::PosError> error_;
};

}  // namespace nightdrop::pos

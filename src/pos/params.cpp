#include "pos/params.hpp"

#include <algorithm>

#include "emv/pan.hpp"
#include "report/currency.hpp"

namespace nightdrop::pos {
namespace {

// Lengths of the protocol are characters; the JSON reader has let only well-formed UTF-8 through.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

JsonView Params::take(const char* key) {
  known_.emplace_back(key);
  const JsonView value = params_[key];
  return value.is_null() ? JsonView() : value;  // null stands for absent
}

bool Params::has(const char* key) {
  return take(key).exists();
}

void Params::fail(const char* key, const char* what) {
  if (error_) return;
  error_ =
      terminal::PosError{.code = PosCode::InvalidParams, .message = std::string(key) + " " + what + ".", .field = key};
}

std::optional<terminal::PosError> Params::error() {
  if (error_) return error_;
  std::vector<std::string_view> seen;
  for (const JsonView member : params_.items()) {
    if (std::ranges::find(seen, member.key()) != seen.end()) {
      return terminal::PosError{
          .code = PosCode::InvalidParams, .message = "A parameter is given twice.", .field = std::string(member.key())};
    }
    seen.push_back(member.key());
    if (std::ranges::find(known_, member.key()) == known_.end()) {
      const std::string key = std::string(member.key()).substr(0, 64);
      return terminal::PosError{
          .code = PosCode::InvalidParams, .message = "There is no parameter of this name here.", .field = key};
    }
  }
  return std::nullopt;
}

std::optional<std::string> Params::optional_text(const char* key, std::size_t max, std::size_t min) {
  const JsonView value = take(key);
  if (!value.exists()) return std::nullopt;
  const auto text = value.string();
  if (!text) {
    fail(key, "must be a string");
    return std::nullopt;
  }
  if (text->size() < min || characters(*text) > max) {
    fail(key, "is empty or too long");
    return std::nullopt;
  }
  return std::string(*text);
}

std::string Params::optional_prose(const char* key, std::size_t max) {
  std::string prose = optional_text(key, max, 0).value_or("");
  if (emv::holds_pan(prose)) fail(key, "must not hold a card number");
  return prose;
}

std::string Params::text(const char* key, std::size_t max) {
  const auto value = optional_text(key, max);
  if (!value) fail(key, "is missing");
  return value.value_or("");
}

std::string Params::printable(const char* key, std::size_t max) {
  std::string value = text(key, max);
  if (std::ranges::any_of(value, [](char c) { return c < 0x20 || c > 0x7E; })) fail(key, "must be printable ASCII");
  return value;
}

std::optional<std::int64_t> Params::optional_integer(const char* key, std::int64_t min, std::int64_t max) {
  const JsonView value = take(key);
  if (!value.exists()) return std::nullopt;
  const auto number = value.integer();
  if (!number) {
    fail(key, "must be a whole number");
    return std::nullopt;
  }
  if (*number < min || *number > max) {
    fail(key, "is out of range");
    return std::nullopt;
  }
  return number;
}

std::int64_t Params::integer(const char* key, std::int64_t min, std::int64_t max) {
  const auto value = optional_integer(key, min, max);
  if (!value) fail(key, "is missing");
  return value.value_or(min);
}

std::optional<bool> Params::optional_boolean(const char* key) {
  const JsonView value = take(key);
  if (!value.exists()) return std::nullopt;
  if (!value.is_bool()) fail(key, "must be true or false");
  return value.boolean();
}

Currency Params::currency(const char* key) {
  const std::string code = text(key, 3);
  Currency currency;
  if (code.size() != 3 || !report::is_iso4217(code)) {
    fail(key, "is no ISO 4217 code in lower case");
    return currency;
  }
  std::ranges::copy(code, currency.code.begin());
  return currency;
}

SecretBytes Params::pin(const char* key) {
  const JsonView value = take(key);
  const auto digits = value.string().value_or("");
  const bool good = digits.size() >= 4 && digits.size() <= 12 &&
                    std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
  if (!value.exists()) {
    fail(key, "is missing");
  } else if (!good) {
    fail(key, "must be 4 to 12 digits");
  }
  SecretBytes pin;
  if (good) pin = SecretBytes(std::span(reinterpret_cast<const std::uint8_t*>(digits.data()), digits.size()));
  value.wipe_string();
  return pin;
}

std::optional<std::int64_t> Params::tip() {
  const JsonView details = take("amount_details");
  if (!details.exists()) return std::nullopt;
  const auto tip = details["tip"].integer();
  if (!details.is_object() || details.size() != 1 || !tip || *tip < 0 || *tip > amount_max) {
    fail("amount_details", "must be an object with the one field tip, a whole number");
    return std::nullopt;
  }
  return tip;
}

std::vector<std::pair<std::string, std::string>> Params::metadata() {
  const JsonView value = take("metadata");
  std::vector<std::pair<std::string, std::string>> pairs;
  if (!value.exists()) return pairs;
  if (!value.is_object() || value.size() > 16) {
    fail("metadata", "must be an object of at most 16 pairs");
    return pairs;
  }
  for (const JsonView member : value.items()) {
    const auto text = member.string();
    if (!text || member.key().empty() || characters(member.key()) > 40 || characters(*text) > 200) {
      fail("metadata", "must hold strings: keys of 1 to 40, values of at most 200 characters");
      return pairs;
    }
    if (emv::holds_pan(*text)) fail("metadata", "must not hold a card number");
    pairs.emplace_back(member.key(), *text);
  }
  return pairs;
}

JsonView Params::array(const char* key, std::size_t count_max) {
  const JsonView value = take(key);
  if (!value.exists()) return value;
  if (!value.is_array() || value.size() > count_max) fail(key, "must be a list, and not too long");
  return value;
}

std::vector<std::string> Params::texts(const char* key, std::size_t count_max, std::size_t max) {
  std::vector<std::string> all;
  for (const JsonView item : array(key, count_max).items()) {
    const auto text = item.string();
    if (!text || text->empty() || characters(*text) > max) {
      fail(key, "must be a list of strings");
      return {};
    }
    all.emplace_back(*text);
  }
  return all;
}

}  // namespace nightdrop::pos

// Reads the published vectors for the crypto tests. A missing file or member fails the test that asked for it.
#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "json/json.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::vectors {

inline Json load(std::string_view name) {
  std::ifstream file(std::string(NIGHTDROP_SOURCE_DIR "/tests/vectors/").append(name));
  const std::string text(std::istreambuf_iterator<char>(file), {});
  auto json = Json::parse(text);
  EXPECT_TRUE(json.has_value()) << name;
  return json ? std::move(*json) : Json::object();
}

inline std::string text_of(JsonView value) {
  EXPECT_TRUE(value.is_string()) << "a text is missing";
  return std::string(value.string().value_or(""));
}

inline std::vector<std::uint8_t> bytes_of_hex(std::string_view text) {
  auto bytes = from_hex(text);
  EXPECT_TRUE(bytes.has_value()) << text;
  return bytes.value_or(std::vector<std::uint8_t>{});
}
inline std::vector<std::uint8_t> bytes_of_hex(JsonView value) {
  return bytes_of_hex(text_of(value));
}

// An upper-case hex text of what a function gave, or a word that equals none.
template <class Given>
std::string hex_of(const Result<Given>& given) {
  if (!given) return errc_name(given.error().code);
  if constexpr (requires { given->view(); }) {
    return hex_upper(given->view());
  } else {
    return hex_upper(*given);
  }
}

}  // namespace nightdrop::vectors

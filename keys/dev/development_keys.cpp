// Keys of development readers as text; see development_keys.hpp. Key text is put together in wiped memory alone, which
// is why keys.json is not printed by the JSON library.
#include "keys/dev/development_keys.hpp"

#include <algorithm>
#include <string>

#include "crypto/primitives.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::keys {
namespace {

// Text in wiped memory, put together from its start.
class SecretText {
 public:
  explicit SecretText(std::size_t room) : bytes_(room) {}
  SecretText& add(std::string_view text) {
    ND_ASSERT(size_ + text.size() <= bytes_.size());
    std::copy(text.begin(), text.end(), bytes_.writable().begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += text.size();
    return *this;
  }
  SecretText& add_hex(std::span<const std::uint8_t> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    for (const std::uint8_t byte : bytes) add(digits.substr(byte >> 4, 1)).add(digits.substr(byte & 15, 1));
    return *this;
  }
  SecretBytes take() && {
    bytes_.truncate(size_);
    return std::move(bytes_);
  }

 private:
  SecretBytes bytes_;
  std::size_t size_{0};
};

constexpr std::uint32_t numbers_a_reader = 256;

// 24 bits of the serial number, the top bit of a fourth byte apart.
std::uint32_t first_of(std::string_view serial_number) {
  const std::string_view rest = serial_number.starts_with("ND") ? serial_number.substr(2) : std::string_view();
  if (rest.size() == 6 && rest.find_first_not_of("0123456789") == std::string_view::npos) {
    return static_cast<std::uint32_t>(std::stoul(std::string(rest))) * numbers_a_reader;
  }
  const Digest digest = sha256(bytes_of(serial_number));
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 3; ++i) number = number << 8 | digest[i];
  return (number * numbers_a_reader) | 0x80000000U;
}

}  // namespace

Result<DerivationRange> derivation_range(std::string_view serial_number) {
  std::array<std::uint8_t, 1> place{};
  ND_TRY(random_bytes(place));
  const std::uint32_t first = first_of(serial_number);
  return DerivationRange{first + 1 + place[0] % (numbers_a_reader / 2), first + numbers_a_reader - 1};
}

SecretBytes keys_json(const DevelopmentKeys& keys) {
  SecretText text(1024);
  text.add("{\n  \"bdk\": \"").add_hex(keys.bdk.view());
  text.add("\",\n  \"bdk_id\": \"").add_hex(keys.bdk_id);
  text.add("\",\n  \"key_type\": \"").add(word(keys.key_type));
  text.add("\",\n  \"fingerprint_key\": \"").add_hex(keys.fingerprint_key.view()).add("\"\n}\n");
  return std::move(text).take();
}

}  // namespace nightdrop::keys

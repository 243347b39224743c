// Development BDKs and what follows from them; see development_keys.hpp. Key text is put together in wiped memory
// alone, which is why keys.json is not printed by the JSON library.
#include "keys/dev/development_keys.hpp"

#include <algorithm>
#include <string>

#include "nightdrop/encoding.hpp"
#include "crypto/primitives.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::keys {
namespace {

constexpr std::size_t fingerprint_key_size = 32;

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

std::array<std::uint8_t, 4> derivation_id(std::string_view serial_number) {
  std::uint32_t number = 0;
  const std::string_view rest = serial_number.starts_with("ND") ? serial_number.substr(2) : std::string_view();
  if (rest.size() == 6 && rest.find_first_not_of("0123456789") == std::string_view::npos) {
    number = static_cast<std::uint32_t>(std::stoul(std::string(rest)));
  } else {
    const Digest digest = sha256(bytes_of(serial_number));
    number = 0x80000000U;
    for (std::size_t i = 0; i < 4; ++i) number |= std::uint32_t{digest[i]} << (24 - 8 * i);
  }
  std::array<std::uint8_t, 4> id{};
  for (std::size_t i = 0; i < 4; ++i) id[i] = static_cast<std::uint8_t>(number >> (24 - 8 * i));
  return id;
}

}  // namespace

Result<DevelopmentKeys> make_development_keys(std::span<const std::uint8_t> bdk, KeyType key_type) {
  DevelopmentKeys keys;
  if (bdk.empty()) {
    keys.bdk = SecretBytes(key_type == KeyType::Aes256 ? std::size_t{32} : std::size_t{16});
    ND_TRY(random_bytes(keys.bdk.writable()));
  } else {
    ND_ASSERT(bdk.size() == 16 || bdk.size() == 32);
    keys.bdk = SecretBytes(bdk);
  }
  keys.key_type = keys.bdk.size() == 32 ? KeyType::Aes256 : KeyType::Aes128;
  keys.fingerprint_key = SecretBytes(fingerprint_key_size);
  ND_TRY(random_bytes(keys.fingerprint_key.writable()));
  const std::array<std::uint8_t, 16> zeros{};
  const auto check_value = cmac(BlockCipher::Aes, keys.bdk.view(), zeros);
  if (!check_value) return std::unexpected(check_value.error());
  std::copy_n(check_value->begin(), keys.bdk_id.size(), keys.bdk_id.begin());
  return Result<DevelopmentKeys>(std::move(keys));
}

dukpt::InitialKeyId initial_key_id(const DevelopmentKeys& keys, std::string_view serial_number) {
  dukpt::InitialKeyId id{};
  const auto derivation = derivation_id(serial_number);
  std::copy(keys.bdk_id.begin(), keys.bdk_id.end(), id.begin());
  std::copy(derivation.begin(), derivation.end(), id.begin() + 4);
  return id;
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

// `ceremony component`: what one custodian makes alone, for a key that two parties are to share. The HSM has no part in
// it: a component is random bytes of its own, and the key does not exist before all of them are together.
#include <algorithm>
#include <filesystem>

#include "crypto/primitives.hpp"
#include "crypto/tr31.hpp"
#include "keys/ceremony/ceremony.hpp"
#include "keys/files.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::keys {
namespace {

// Digits as text, without a copy in memory that is not wiped.
void put_hex(std::span<const std::uint8_t> bytes, std::span<std::uint8_t> into) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    into[2 * i] = static_cast<std::uint8_t>(digits[bytes[i] >> 4]);
    into[2 * i + 1] = static_cast<std::uint8_t>(digits[bytes[i] & 0x0F]);
  }
}

}  // namespace

Outcome<Made> ceremony_component(const std::string& key_type, const std::string& out) {
  const auto type = from_word<KeyType>(key_type);
  if (!type || *type == KeyType::Aes192) return refuse(Exit::Usage, "--key-type is aes-128 or aes-256");
  std::error_code ignored;
  if (std::filesystem::exists(out, ignored)) return refuse(Exit::CannotCreate, "conflict: " + out + " is there");
  SecretBytes component(*type == KeyType::Aes256 ? std::size_t{32} : std::size_t{16});
  const auto random = random_bytes(component.writable());
  if (!random) return refuse("a component", random.error());
  const auto check_value = tr31::check_value_cmac(component.view());
  if (!check_value) return refuse("a check value", check_value.error());
  const std::string second_line = "\n" + hex_upper(*check_value) + "\n";
  SecretBytes text(component.size() * 2 + second_line.size());
  put_hex(component.view(), text.writable());
  std::ranges::copy(bytes_of(second_line), text.writable().begin() + static_cast<std::ptrdiff_t>(component.size() * 2));
  if (auto written = write_file(out, text.view()); !written) return std::unexpected(written.error());
  Made made;
  made.text = out + ": a component, check value " + hex_upper(*check_value) + "\n";
  made.json.set("file", out).set("check_value", hex_upper(*check_value));
  return Outcome<Made>(std::move(made));
}

}  // namespace nightdrop::keys

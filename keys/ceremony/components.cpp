// Check values are by CMAC; a custodian's sheet may show the first three bytes or all five. A person who mistypes is
// asked again; a pipe or a file is not.
#include "keys/ceremony/components.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>

#include <unistd.h>

#include "crypto/tr31.hpp"
#include "keys/ceremony/transcript.hpp"
#include "keys/prompt/prompt.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::keys {
namespace {

constexpr std::size_t typed_max = 160;  // 64 digits, in groups
constexpr int tries_of_a_person = 3;

std::string upper_without_blanks(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ') out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return out;
}

// Whether `given` is the check value or its first three bytes.
bool fits(std::string_view given, const std::string& check_value) {
  const std::string text = upper_without_blanks(given);
  return (text.size() == 6 || text.size() == 10) && check_value.starts_with(text);
}

Outcome<std::string> check_value_of(const SecretBytes& key) {
  const auto value = tr31::check_value_cmac(key.view());
  if (!value) return refuse("a check value", value.error());
  return hex_upper(*value);
}

// Hex digits, with blanks between them as it pleases; never in memory that is not wiped.
Outcome<SecretBytes> decode(const SecretBytes& typed, const std::vector<std::size_t>& sizes) {
  SecretBytes digits(std::max<std::size_t>(typed.size(), 1));
  std::size_t count = 0;
  for (const std::uint8_t c : typed.view()) {
    if (c != ' ') digits.writable()[count++] = c;
  }
  const std::string_view text(reinterpret_cast<const char*>(digits.view().data()), count);
  auto bytes = secret_from_hex(text);
  if (!bytes) return refuse(Exit::Data, "is not hexadecimal");
  if (std::ranges::find(sizes, bytes->size()) == sizes.end()) return refuse(Exit::Data, "is not of this key's length");
  if (std::ranges::all_of(bytes->view(), [](std::uint8_t byte) { return byte == 0; })) {
    return refuse(Exit::Data, "is zeros alone");
  }
  return Outcome<SecretBytes>(std::move(*bytes));
}

// One component as it came in: the digits, and what its check value is said to be.
struct Handed {
  SecretBytes digits;
  std::string check_value;
};

Outcome<Handed> from_file(const std::string& file) {
  const auto text = read_private_file(file);
  if (!text) return std::unexpected(text.error());
  const auto bytes = text->view();
  const auto line_end = std::ranges::find(bytes, std::uint8_t{'\n'});
  if (line_end == bytes.end()) return refuse(Exit::Data, file + ": has no second line with the check value");
  const auto first = static_cast<std::size_t>(line_end - bytes.begin());
  const auto rest = bytes.subspan(first + 1);
  std::size_t size = first;
  if (size > 0 && bytes[size - 1] == '\r') --size;
  return Handed{SecretBytes(bytes.first(size)), std::string(rest.begin(), rest.end())};
}

Outcome<Handed> from_person(const std::string& label) {
  auto digits = ask_secret(label + " (hex digits; nothing is shown): ", typed_max);
  if (!digits) return std::unexpected(digits.error());
  auto value = ask_line("  its check value: ");
  if (!value) return std::unexpected(value.error());
  return Handed{std::move(*digits), std::move(*value)};
}

struct Component {
  SecretBytes key;
  std::string check_value;
};

Outcome<Component> take(const Handed& handed, const std::string& label, const std::vector<std::size_t>& sizes) {
  auto key = decode(handed.digits, sizes);
  if (!key) return refuse(Exit::Data, label + " " + key.error().message);
  auto value = check_value_of(*key);
  if (!value) return std::unexpected(value.error());
  if (!fits(handed.check_value, *value)) return refuse(Exit::Data, label + ": its check value is another");
  return Component{std::move(*key), std::move(*value)};
}

Outcome<Component> component(const ComponentsWanted& wanted, std::size_t number, const std::string& custodian,
                             const std::vector<std::size_t>& sizes) {
  const std::string label =
      "component " + std::to_string(number + 1) + " of " + std::to_string(wanted.count) + ", custodian " + custodian;
  const bool file = !wanted.files.empty();
  const int tries = !file && isatty(STDIN_FILENO) != 0 ? tries_of_a_person : 1;
  for (int left = tries; true; --left) {
    const auto handed = file ? from_file(wanted.files[number]) : from_person(label);
    if (!handed) return std::unexpected(handed.error());
    auto taken = take(*handed, label, sizes);
    if (taken || left == 1) return taken;
    std::fprintf(stderr, "%s. Again.\n", taken.error().message.c_str());
  }
}

Outcome<void> check_custodians(const std::vector<std::string>& names) {
  std::vector<std::string> seen;
  for (const std::string& name : names) {
    if (!is_printable_text(name)) return refuse(Exit::Usage, "a custodian's name is empty, too long or not printable");
    const std::string plain = upper_without_blanks(name);
    if (plain.empty() || std::ranges::find(seen, plain) != seen.end()) {
      return refuse(Exit::Usage, "custodian " + name + ": one person gives one component");
    }
    seen.push_back(plain);
  }
  return {};
}

Outcome<void> check_wanted(const ComponentsWanted& wanted) {
  if (wanted.count != 2 && wanted.count != 3) return refuse(Exit::Usage, "--components is 2 or 3");
  if (!wanted.custodians.empty() && wanted.custodians.size() != wanted.count) {
    return refuse(Exit::Usage, "--custodian is given once for each component");
  }
  if (!wanted.files.empty() && wanted.files.size() != wanted.count) {
    return refuse(Exit::Usage, "--component-file is given once for each component");
  }
  if (!wanted.files.empty() && wanted.custodians.empty()) {
    return refuse(Exit::Usage, "--component-file goes with --custodian");
  }
  return check_custodians(wanted.custodians);
}

Outcome<void> check_whole(WholeKey& whole, const ComponentsWanted& wanted) {
  if (std::ranges::all_of(whole.key.view(), [](std::uint8_t byte) { return byte == 0; })) {
    return refuse(Exit::Data, "the components are the same: together they are zeros");
  }
  auto value = check_value_of(whole.key);
  if (!value) return std::unexpected(value.error());
  const auto given = wanted.check_value.empty() ? ask_line("Check value of the whole key: ")
                                                : Outcome<std::string>(wanted.check_value);
  if (!given) return std::unexpected(given.error());
  if (!fits(*given, *value)) return refuse(Exit::Data, "the whole key: its check value is another; nothing was taken");
  whole.check_value = std::move(*value);
  return {};
}

}  // namespace

Outcome<WholeKey> collect_components(const ComponentsWanted& wanted) {
  if (auto good = check_wanted(wanted); !good) return std::unexpected(good.error());
  WholeKey whole;
  std::vector<std::size_t> sizes = wanted.key_sizes;
  for (std::size_t i = 0; i < wanted.count; ++i) {
    const auto name = wanted.custodians.empty()
                          ? ask_line("Name of the custodian of component " + std::to_string(i + 1) + ": ")
                          : Outcome<std::string>(wanted.custodians[i]);
    if (!name) return std::unexpected(name.error());
    whole.custodians.push_back(*name);
    if (auto good = check_custodians(whole.custodians); !good) return std::unexpected(good.error());
    const auto part = component(wanted, i, *name, sizes);
    if (!part) return std::unexpected(part.error());
    if (i == 0) {
      sizes = {part->key.size()};
      whole.key = SecretBytes(part->key.size());
    }
    for (std::size_t b = 0; b < part->key.size(); ++b) whole.key.writable()[b] ^= part->key.view()[b];
    whole.component_check_values.push_back(part->check_value);
    if (isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "  %s: taken.\n", part->check_value.c_str());
  }
  if (auto good = check_whole(whole, wanted); !good) return std::unexpected(good.error());
  return Outcome<WholeKey>(std::move(whole));
}

}  // namespace nightdrop::keys

// `ceremony import`: a key that was made elsewhere. Its clear bytes are in this process's locked memory from the last
// component, or the block's MAC, to the moment that the HSM has it; the HSM's own check value is compared then.
#include <algorithm>
#include <optional>

#include "keys/ceremony/components.hpp"
#include "keys/ceremony/room.hpp"
#include "keys/files.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::keys {
namespace {

// What a key's name says that it may be.
struct Target {
  std::string name;                      // empty: bdk, named by its check value
  std::vector<std::size_t> sizes;        // in bytes
  std::vector<std::string_view> usages;  // of a key block
};

Outcome<Target> target_of(const std::string& key) {
  const std::size_t slash = key.find('/');
  const std::string family = key.substr(0, slash);
  const std::string rest = slash == std::string::npos ? "" : key.substr(slash + 1);
  const bool named = slash != std::string::npos && is_name(rest);
  if (key == "bdk") return Target{"", {16, 32}, {tr31::usage::base_derivation_key}};
  if (family == "bdk" && named && rest.size() == 8 && from_hex(rest)) {
    return Target{"bdk/" + hex_upper(*from_hex(rest)), {16, 32}, {tr31::usage::base_derivation_key}};
  }
  const std::vector<std::string_view> protecting{tr31::usage::key_encryption, tr31::usage::key_block_protection};
  if (family == "kbpk" && named) return Target{key, {16, 32}, protecting};
  if (key == "transport") return Target{key, {32}, protecting};
  if (family == "fingerprint" && named) return Target{key, {32}, {tr31::usage::hmac}};
  return refuse(Exit::Usage, "--key is bdk, bdk/ID (8 hex digits), kbpk/NAME, transport or fingerprint/MERCHANT");
}

// A key on its way in, and the lines that tell where it came from.
struct Arrived {
  SecretBytes key;
  std::string check_value;
  std::string step;
  std::vector<std::pair<std::string, std::string>> lines;
  bool may_leave{true};
};

Outcome<Arrived> by_components(const Target& target, const CeremonyImportOptions& options) {
  auto whole = collect_components({options.key, options.components, target.sizes, options.custodians,
                                   options.component_files, options.check_value});
  if (!whole) return std::unexpected(whole.error());
  Arrived arrived{std::move(whole->key), whole->check_value, "key brought in, in components under dual control", {}};
  for (std::size_t i = 0; i < whole->custodians.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    arrived.lines.emplace_back("custodian " + number, whole->custodians[i]);
    arrived.lines.emplace_back("component " + number, "check value " + whole->component_check_values[i]);
  }
  return Outcome<Arrived>(std::move(arrived));
}

Outcome<Arrived> by_block(Room& room, const Target& target, const CeremonyImportOptions& options) {
  auto text = read_file(options.tr31_file);
  if (!text) return std::unexpected(text.error());
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  auto block = room.hsm().open_block(*text, options.kbpk, target.usages);
  if (!block) return std::unexpected(block.error());
  if (std::ranges::find(target.sizes, block->key.size()) == target.sizes.end()) {
    return refuse(Exit::Data, "the key block: its key is not of this key's length");
  }
  const auto value = tr31::check_value_cmac(block->key.view());
  if (!value) return refuse("a check value", value.error());
  Arrived arrived{std::move(block->key), hex_upper(*value), "key brought in, in a key block", {}};
  arrived.may_leave = block->header.exportability != 'N';
  if (!options.check_value.empty() && options.check_value != arrived.check_value) {
    return refuse(Exit::Data, "the key block: its key has another check value than --check-value says");
  }
  arrived.lines = {{"under", "kbpk/" + options.kbpk}, {"key block", fingerprint_of(bytes_of(*text))}};
  return Outcome<Arrived>(std::move(arrived));
}

// The key is in the HSM after this; a key of that name that is there already is the same, of a run that was cut off.
Outcome<void> bring_in(Room& room, const std::string& name, const Arrived& arrived) {
  if (room.transcript().has("key", name))
    return refuse(Exit::CannotCreate, "conflict: the HSM has " + name + " already");
  if (!room.token().has(name)) {
    pkcs11::KeyTemplate how = template_of(name);
    // A BDK whose sender forbids it does not go on from here. The others could not be used at all.
    if (name.starts_with("bdk/")) how.extractable = arrived.may_leave;
    const auto taken = room.token().import_aes(arrived.key.view(), how);
    if (!taken) return refuse((name + ", into the HSM").c_str(), taken.error());
    room.at("brought in " + name);
  }
  const auto value = room.hsm().check_value(name);
  if (!value) return std::unexpected(value.error());
  if (*value != arrived.check_value) return refuse(Exit::CannotCreate, "conflict: the HSM has another " + name);
  return {};
}

Outcome<void> check_options(const CeremonyImportOptions& options) {
  if (options.tr31_file.empty() != options.kbpk.empty()) return refuse(Exit::Usage, "--tr31 goes with --kbpk");
  if (!options.tr31_file.empty() && (!options.custodians.empty() || !options.component_files.empty())) {
    return refuse(Exit::Usage, "--tr31 goes without components and custodians");
  }
  return {};
}

}  // namespace

Outcome<Made> ceremony_import(const CeremonyContext& context, const CeremonyImportOptions& options) {
  const auto target = target_of(options.key);
  if (!target) return std::unexpected(target.error());
  if (auto good = check_options(options); !good) return std::unexpected(good.error());
  auto room = Room::enter(context);
  if (!room) return std::unexpected(room.error());
  if (!target->name.empty() && room->transcript().has("key", target->name)) {  // before anybody types
    return refuse(Exit::CannotCreate, "conflict: the HSM has " + target->name + " already");
  }
  const auto arrived = options.tr31_file.empty() ? by_components(*target, options) : by_block(*room, *target, options);
  if (!arrived) return std::unexpected(arrived.error());
  std::string name = target->name;
  const std::string by_check_value = "bdk/" + arrived->check_value.substr(0, 8);
  if (name.empty()) name = by_check_value;
  if (name.starts_with("bdk/") && name != by_check_value) {
    return refuse(Exit::Data, "this BDK is " + by_check_value + ", by its check value, and not " + name);
  }
  if (auto done = bring_in(*room, name, *arrived); !done) return std::unexpected(done.error());
  auto lines = room->key_lines(name);
  if (!lines) return std::unexpected(lines.error());
  lines->insert(lines->end(), arrived->lines.begin(), arrived->lines.end());
  if (auto written = room->write_down({arrived->step, std::move(*lines)}); !written) {
    return std::unexpected(written.error());
  }
  Made made;
  made.text = name + ", check value " + arrived->check_value + ": in the HSM\n";
  made.json.set("key", name).set("check_value", arrived->check_value);
  return Outcome<Made>(std::move(made));
}

}  // namespace nightdrop::keys

// The ceremony of a development station; see development_station.hpp.
#include "keys/dev/development_station.hpp"

#include <array>

#include "crypto/primitives.hpp"
#include "crypto/tr31.hpp"
#include "keys/ceremony/ceremony.hpp"
#include "keys/ceremony/room.hpp"
#include "keys/files.hpp"
#include "keys/hsm/hsm.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::keys {
namespace {

constexpr const char* token_label = "nightdrop-development";
constexpr const char* acquirer = "acquirer";  // the name of the KBPK that the acquirer shares with the HSM
constexpr std::size_t kbpk_size = 32;

Outcome<void> write_random_pin(const std::filesystem::path& file) {
  std::array<std::uint8_t, 8> bytes{};
  if (const auto filled = random_bytes(bytes); !filled) return refuse("a PIN", filled.error());
  return write_file(file, hex_lower(bytes));
}

Outcome<void> bring_in(Room& room, const std::string& name, std::span<const std::uint8_t> key) {
  if (const auto taken = room.token().import_aes(key, template_of(name)); !taken) {
    return refuse((name + ", in the HSM").c_str(), taken.error());
  }
  return room.write_down_key(name);
}

// What comes from outside, before the ceremony makes the rest.
Outcome<void> bring_in_given(const CeremonyContext& context, const DevelopmentStation& wanted,
                             const x509::MemoryKey& policy_key, std::span<const std::uint8_t> kbpk) {
  auto room = Room::enter(context);
  if (!room) return std::unexpected(room.error());
  const auto scalar = policy_key.scalar();
  if (!scalar) return refuse("the policy key", scalar.error());
  if (const auto taken = room->token().import_p256(scalar->view(), policy_key.public_key(), template_of("policy"));
      !taken) {
    return refuse("the policy key, in the HSM", taken.error());
  }
  if (auto done = bring_in(*room, std::string("kbpk/") + acquirer, kbpk); !done) return done;
  if (wanted.bdk.empty()) return {};
  const auto check_value = tr31::check_value_cmac(wanted.bdk);
  if (!check_value) return refuse("the BDK", check_value.error());
  return bring_in(*room, bdk_name(std::span(*check_value).first<4>()), wanted.bdk);
}

// A key as the acquirer gets it: exported as a block, opened with the KBPK on the other side.
Outcome<SecretBytes> give_to_acquirer(const CeremonyContext& context, const std::string& key, const char* usage,
                                      std::span<const std::uint8_t> kbpk) {
  const std::string file = (std::filesystem::path(context.folder) / (usage + std::string(".tr31"))).string();
  if (auto done = ceremony_export(context, {key, acquirer, file, false}); !done) return std::unexpected(done.error());
  const auto text = read_file(file);
  if (!text) return std::unexpected(text.error());
  auto block = tr31::unwrap(kbpk, text->substr(0, text->find_last_not_of("\r\n") + 1), {usage});
  if (!block) return refuse((key + ", as the acquirer opens it").c_str(), block.error());
  return Outcome<SecretBytes>(std::move(block->key));
}

Outcome<std::string> only_bdk(const CeremonyContext& context) {
  auto room = Room::enter(context);
  if (!room) return std::unexpected(room.error());
  const auto all = room->token().list();
  if (!all) return refuse("the HSM's keys", all.error());
  for (const auto& key : *all) {
    if (key.label.starts_with("bdk/")) return key.label;
  }
  return refuse(Exit::Software, "the ceremony made no BDK");
}

}  // namespace

Outcome<DevelopmentKeys> make_development_station(const DevelopmentStation& wanted, const x509::MemoryKey& policy_key,
                                                  UtcMs now) {
  if (auto made = make_folder(wanted.folder); !made) return std::unexpected(made.error());
  for (const char* name : {"pin", "so_pin"}) {
    if (auto written = write_random_pin(wanted.folder / name); !written) return std::unexpected(written.error());
  }
  CeremonyContext context;
  context.folder = wanted.folder.string();
  context.operators = {"development"};
  context.clock = [now] { return now; };
  if (auto done = hsm_init(context, {"", token_label, wanted.folder / "pin", wanted.folder / "so_pin"}); !done) {
    return std::unexpected(done.error());
  }
  SecretBytes kbpk(kbpk_size);
  if (const auto filled = random_bytes(kbpk.writable()); !filled) return refuse("the acquirer's KBPK", filled.error());
  if (auto done = bring_in_given(context, wanted, policy_key, kbpk.view()); !done) return std::unexpected(done.error());
  CeremonyInitOptions options;
  options.key_type = word(wanted.key_type);
  options.merchants = {wanted.merchant};
  options.authority_name = "Nightdrop development CA";
  options.station_name = "development station";
  if (auto done = ceremony_init(context, options); !done) return std::unexpected(done.error());

  const auto bdk_label = only_bdk(context);
  if (!bdk_label) return std::unexpected(bdk_label.error());
  DevelopmentKeys keys;
  auto bdk = give_to_acquirer(context, *bdk_label, "B0", kbpk.view());
  if (!bdk) return std::unexpected(bdk.error());
  auto fingerprint = give_to_acquirer(context, "fingerprint/" + wanted.merchant, "M7", kbpk.view());
  if (!fingerprint) return std::unexpected(fingerprint.error());
  keys.bdk = std::move(*bdk);
  keys.fingerprint_key = std::move(*fingerprint);
  keys.key_type = keys.bdk.size() == 32 ? KeyType::Aes256 : KeyType::Aes128;
  const auto id = from_hex(std::string_view(*bdk_label).substr(4));
  if (!id || id->size() != keys.bdk_id.size()) return refuse(Exit::Software, "the BDK's name is not its ID");
  std::copy(id->begin(), id->end(), keys.bdk_id.begin());
  return Outcome<DevelopmentKeys>(std::move(keys));
}

}  // namespace nightdrop::keys

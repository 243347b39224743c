// Every value of aes_dukpt.json: X9.24-3's own supplement, other public implementations, and what was computed from
// them.
#include <algorithm>
#include <bit>
#include <map>

#include "crypto/dukpt.hpp"
#include "crypto/pin_block.hpp"
#include "crypto/primitives.hpp"
#include "vectors/vectors/crypto_vectors.hpp"

namespace nightdrop::vectors {
namespace {

using dukpt::KeyKind;
using dukpt::Usage;

const std::map<std::string, Usage, std::less<>> usages{
    {"key_encryption", Usage::KeyEncryption},
    {"pin_encryption", Usage::PinEncryption},
    {"mac_generation", Usage::MacGeneration},
    {"mac_verification", Usage::MacVerification},
    {"mac_both", Usage::MacBoth},
    {"data_encrypt", Usage::DataEncrypt},
    {"data_decrypt", Usage::DataDecrypt},
    {"data_both", Usage::DataBoth},
    {"key_derivation", Usage::KeyDerivation},
    {"key_derivation_initial_key", Usage::InitialKey},
};
const std::map<std::string, KeyKind, std::less<>> kinds{
    {"2TDEA", KeyKind::Tdea2},     {"3TDEA", KeyKind::Tdea3},     {"AES128", KeyKind::Aes128},
    {"AES192", KeyKind::Aes192},   {"AES256", KeyKind::Aes256},   {"HMAC128", KeyKind::Hmac128},
    {"HMAC192", KeyKind::Hmac192}, {"HMAC256", KeyKind::Hmac256},
};

dukpt::InitialKeyId id_of(JsonView value) {
  dukpt::InitialKeyId id{};
  const auto bytes = bytes_of_hex(value);
  EXPECT_EQ(bytes.size(), id.size());
  std::copy_n(bytes.begin(), std::min(bytes.size(), id.size()), id.begin());
  return id;
}

std::uint32_t counter_of(JsonView hex) {
  return static_cast<std::uint32_t>(std::stoul(text_of(hex), nullptr, 16));
}

// The inputs that all records share.
struct Inputs {
  std::vector<std::uint8_t> message, padded, iv, pin_random;
  std::string pin, pan;
};

Inputs inputs_of(JsonView fixed) {
  Inputs in;
  const auto message = text_of(fixed["mac_and_data_input_ascii"]);
  in.message.assign(message.begin(), message.end());
  in.padded = bytes_of_hex(fixed["data_input_padded_hex"]);
  in.iv = bytes_of_hex(fixed["data_cbc_iv"]);
  in.pin = text_of(fixed["pin"]);
  in.pan = text_of(fixed["pan"]);
  const auto field = bytes_of_hex(fixed["pin_field"]);
  in.pin_random.assign(field.begin() + 8, field.end());
  return in;
}

// What a record's entry should be: a key by its usage, or the use of a key.
std::string computed(std::string_view what, KeyKind kind, std::span<const std::uint8_t> initial_key, const Ksn& ksn,
                     const Inputs& in) {
  const auto key = [&](Usage usage) { return dukpt::derive_working_key(initial_key, ksn, usage, kind); };
  if (const auto usage = usages.find(what); usage != usages.end()) return hex_of(key(usage->second));
  if (what == "cmac_request") return hex_of(cmac(BlockCipher::Aes, key(Usage::MacGeneration)->view(), in.message));
  if (what == "cmac_response") return hex_of(cmac(BlockCipher::Aes, key(Usage::MacVerification)->view(), in.message));
  if (what == "hmac_sha256_request") return hex_upper(hmac_sha256(key(Usage::MacGeneration)->view(), in.message));
  if (what == "hmac_sha256_response") return hex_upper(hmac_sha256(key(Usage::MacVerification)->view(), in.message));
  if (what == "data_request_cbc" || what == "data_response_cbc") {
    const auto data_key = key(what == "data_request_cbc" ? Usage::DataEncrypt : Usage::DataDecrypt);
    std::vector<std::uint8_t> out(in.padded.size());
    EXPECT_TRUE(cbc_encrypt(BlockCipher::Aes, data_key->view(), in.iv, in.padded, out));
    return hex_upper(out);
  }
  if (what == "pin_block_iso4") {
    return hex_of(pin_block::encrypt_format4(key(Usage::PinEncryption)->view(), bytes_of(in.pin), bytes_of(in.pan),
                                             std::span<const std::uint8_t, 8>(in.pin_random)));
  }
  if (what.starts_with("data_ecb_")) {
    auto block = bytes_of_hex(what.substr(9));
    EXPECT_TRUE(ecb_encrypt(BlockCipher::Aes, key(Usage::DataEncrypt)->view(), block, block));
    return hex_upper(block);
  }
  return "unknown entry";
}

TEST(DukptVectors, InitialKeys) {
  const Json json = load("aes_dukpt.json");
  for (const JsonView entry : json["initial_keys"].items()) {
    EXPECT_EQ(hex_of(dukpt::derive_initial_key(bytes_of_hex(entry["bdk"]), id_of(entry["initial_key_id"]))),
              text_of(entry["initial_key"]));
  }
  EXPECT_EQ(json["initial_keys"].size(), 2u);
}

TEST(DukptVectors, SuitesOfAllKeySizes) {
  const Json json = load("aes_dukpt.json");
  const Inputs in = inputs_of(json["fixed_inputs"]);
  std::size_t checked = 0;
  for (const JsonView suite : json["suites"].items()) {
    const auto id = id_of(suite["initial_key_id"]);
    const auto initial_key = dukpt::derive_initial_key(bytes_of_hex(suite["bdk"]), id);
    ASSERT_EQ(hex_of(initial_key), text_of(suite["initial_key"]));
    for (const JsonView record : suite["records"].items()) {
      const auto counter = counter_of(record["counter_hex"]);
      const Ksn ksn = dukpt::make_ksn(id, counter);
      ASSERT_EQ(hex_upper(ksn), text_of(record["ksn"]));
      for (const JsonView value : record["values"].items()) {
        const std::string_view name = value.key();
        SCOPED_TRACE(std::string(name) + " of " + text_of(record["ksn"]));
        ++checked;
        if (name == "derivation_key") {
          EXPECT_EQ(hex_of(dukpt::derive_transaction_key(initial_key->view(), id, counter)), text_of(value));
          continue;
        }
        const auto slash = name.find('/');
        ASSERT_NE(slash, std::string_view::npos);
        const auto kind = kinds.find(name.substr(slash + 1));
        ASSERT_NE(kind, kinds.end());
        EXPECT_EQ(computed(name.substr(0, slash), kind->second, initial_key->view(), ksn, in), text_of(value));
      }
    }
  }
  EXPECT_EQ(checked, 9u * (25 + 26 + 34));
}

TEST(DukptVectors, DerivationData) {
  const Json json = load("aes_dukpt.json");
  const auto fixed_id = id_of(json["suites"].items()[0]["initial_key_id"]);
  for (const JsonView entry : json["derivation_data"].items()) {
    const auto usage = usages.at(text_of(entry["usage"]));
    const auto block = static_cast<std::uint8_t>(entry["block"].integer().value());
    if (usage == Usage::InitialKey) {
      const auto kind = dukpt::aes_kind(static_cast<std::size_t>(entry["bdk_bytes"].integer().value()));
      EXPECT_EQ(hex_upper(dukpt::derivation_data(usage, *kind, id_of(entry["initial_key_id"]), 0, block)),
                text_of(entry["derivation_data"]));
    } else {
      // These were printed for the derivation ID 90123456.
      auto id = fixed_id;
      std::ranges::copy(bytes_of_hex("90123456"), id.begin() + 4);
      const auto counter = static_cast<std::uint32_t>(entry["counter"].integer().value());
      EXPECT_EQ(hex_upper(dukpt::derivation_data(usage, kinds.at(text_of(entry["key_type"])), id, counter, block)),
                text_of(entry["derivation_data"]));
    }
  }
}

TEST(DukptVectors, CounterAdvance) {
  const Json json = load("aes_dukpt.json");
  for (const JsonView entry : json["counter_advance"].items()) {
    const auto next = dukpt::next_counter(counter_of(entry["counter"]));
    if (entry["next"].is_null()) {
      EXPECT_FALSE(next.has_value());
    } else {
      EXPECT_EQ(next, counter_of(entry["next"]));
    }
  }
  EXPECT_EQ(dukpt::counter_max, counter_of(json["counter_facts"]["max"]));
  EXPECT_EQ(dukpt::update_key_counter, counter_of(json["counter_facts"]["update_key_counter"]));
  EXPECT_EQ(dukpt::next_counter(0), counter_of(json["counter_facts"]["first"]));
  EXPECT_FALSE(dukpt::is_transaction_counter(counter_of(json["edge_17_bits"]["counter_hex"])));
  // The number of transactions: all values of 1 to 16 one-bits.
  std::uint64_t total = 0;
  std::uint64_t choose = 1;
  for (std::uint64_t bits = 1; bits <= 16; ++bits) {
    choose = choose * (33 - bits) / bits;
    total += choose;
  }
  EXPECT_EQ(total, static_cast<std::uint64_t>(json["counter_facts"]["total_transactions"].integer().value()));
}

void expect_registers(const dukpt::DukptDevice& device, JsonView expected) {
  ASSERT_EQ(expected.size(), 32u);
  const auto items = expected.items();
  for (std::size_t bit = 0; bit < 32; ++bit) {
    const auto value = device.register_at(bit);
    EXPECT_EQ(hex_upper(value), items[bit].is_null() ? "" : text_of(items[bit])) << bit;
  }
}

TEST(DukptVectors, DeviceRegistersAndPinKeys) {
  const Json json = load("aes_dukpt.json");
  const JsonView suite = json["suites"].items()[0];
  auto device = dukpt::DukptDevice::load(bytes_of_hex(suite["initial_key"]), id_of(suite["initial_key_id"]));
  ASSERT_TRUE(device);
  const JsonView registers = json["device_registers_aes128"];
  expect_registers(*device, registers["after_load"]);
  ASSERT_TRUE(device->advance());
  ASSERT_TRUE(device->advance());
  expect_registers(*device, registers["after_transaction_2"]);
  const JsonView keys = json["pin_key_sequence_aes128"]["keys"];
  std::size_t seen = 0;
  while (*device->current() < 100) {
    const JsonView expected = keys[std::to_string(*device->current())];
    if (expected.exists()) {
      ++seen;
      EXPECT_EQ(hex_of(device->working_key(Usage::PinEncryption, KeyKind::Aes128)), text_of(expected));
    }
    ASSERT_TRUE(device->advance());
  }
  EXPECT_EQ(seen, keys.size());
}

// The device reaches every suite's counters by skipping, and makes the host's keys there.
TEST(DukptVectors, DeviceMeetsTheHostAtEveryRecord) {
  const Json json = load("aes_dukpt.json");
  for (const JsonView suite : json["suites"].items()) {
    auto device = dukpt::DukptDevice::load(bytes_of_hex(suite["initial_key"]), id_of(suite["initial_key_id"]));
    ASSERT_TRUE(device);
    for (const JsonView record : suite["records"].items()) {
      const auto counter = counter_of(record["counter_hex"]);
      if (!dukpt::is_transaction_counter(counter)) continue;  // a device never originates these
      ASSERT_TRUE(device->skip_past(counter - 1));
      ASSERT_EQ(device->current(), counter);
      const auto kind = dukpt::aes_kind(device->key_size());
      const auto name = "pin_encryption/AES" + std::to_string(device->key_size() * 8);
      EXPECT_EQ(hex_of(device->working_key(Usage::PinEncryption, *kind)), text_of(record["values"][name]));
      const auto low = static_cast<std::size_t>(std::countr_zero(counter));
      EXPECT_EQ(hex_upper(device->register_at(low)), text_of(record["values"]["derivation_key"]));
    }
    EXPECT_EQ(device->current(), dukpt::counter_max);
    ASSERT_TRUE(device->advance());
    EXPECT_TRUE(device->exhausted());
  }
}

TEST(DukptVectors, UpdateKeys) {
  const Json json = load("aes_dukpt.json");
  for (const JsonView entry : json["update_keys"].items()) {
    const JsonView suite = json["suites"].items()[0];
    const auto id = id_of(suite["initial_key_id"]);
    const auto initial_key = bytes_of_hex(suite["initial_key"]);
    const auto counter = counter_of(entry["counter"]);
    EXPECT_EQ(hex_of(dukpt::derive_transaction_key(initial_key, id, counter)), text_of(entry["derivation_key"]));
    auto device = dukpt::DukptDevice::load(initial_key, id);
    ASSERT_TRUE(device);
    for (const std::uint32_t spent : {0u, 1u, 0x1FFFEu, 0xFFFE2000u, 0xFFFE8000u}) {
      ASSERT_TRUE(device->skip_past(spent));
      for (const JsonView value : entry["update_key"].items()) {
        const auto kind = kinds.find(value.key())->second;
        EXPECT_EQ(
            hex_of(dukpt::derive_working_key(initial_key, dukpt::make_ksn(id, counter), Usage::KeyEncryption, kind)),
            text_of(value["value"]));
        EXPECT_EQ(hex_of(device->update_key(kind)), text_of(value["value"])) << spent;
      }
    }
  }
}

TEST(DukptVectors, Negative) {
  const Json json = load("aes_dukpt.json");
  EXPECT_EQ(json["negative"].size(), 3u);
  const JsonView suite = json["suites"].items()[0];
  const auto id = id_of(suite["initial_key_id"]);
  const auto initial_key = bytes_of_hex(suite["initial_key"]);
  auto device = dukpt::DukptDevice::load(initial_key, id);
  ASSERT_TRUE(device);
  for (const KeyKind kind : {KeyKind::Aes192, KeyKind::Aes256, KeyKind::Hmac192, KeyKind::Hmac256}) {
    const auto refused = dukpt::derive_working_key(initial_key, dukpt::make_ksn(id, 1), Usage::DataEncrypt, kind);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::InvalidArgument);
    EXPECT_FALSE(device->working_key(Usage::DataEncrypt, kind));
  }
  const std::string ksn = text_of(suite["records"].items()[0]["ksn"]);
  EXPECT_TRUE(dukpt::parse_ksn_hex(ksn));
  EXPECT_FALSE(dukpt::parse_ksn_hex(ksn.substr(2)));
  EXPECT_FALSE(dukpt::parse_ksn_hex(ksn + "00"));
  EXPECT_FALSE(dukpt::parse_ksn_hex("123456789012345600000000"));
  EXPECT_FALSE(dukpt::derive_working_key(initial_key, dukpt::make_ksn(id, 0), Usage::DataEncrypt, KeyKind::Aes128));
}

TEST(DukptVectors, CounterOf17BitsIsDerivedByTheHostAndOriginatedByNobody) {
  const Json json = load("aes_dukpt.json");
  const JsonView edge = json["edge_17_bits"];
  const auto counter = counter_of(edge["counter_hex"]);
  const auto suites = json["suites"].items();
  const auto key = [&](JsonView suite) {
    return hex_of(
        dukpt::derive_transaction_key(bytes_of_hex(suite["initial_key"]), id_of(suite["initial_key_id"]), counter));
  };
  EXPECT_EQ(key(suites[0]), text_of(edge["derivation_key_from_AES128_BDK"]));
  EXPECT_EQ(key(suites[2]), text_of(edge["derivation_key_from_AES256_BDK"]));
  EXPECT_FALSE(dukpt::parse_ksn(dukpt::make_ksn(id_of(suites[0]["initial_key_id"]), counter)));
}

}  // namespace
}  // namespace nightdrop::vectors

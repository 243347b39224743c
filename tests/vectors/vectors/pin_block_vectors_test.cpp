// Every value of pin_block.json: formats 0 to 4, the wrong ones, and TDES DUKPT with format 0.
#include <algorithm>
#include <array>
#include <string>

#include "crypto/dukpt.hpp"
#include "crypto/dukpt_tdes.hpp"
#include "crypto/pin_block.hpp"
#include "crypto/primitives.hpp"
#include "vectors/vectors/crypto_vectors.hpp"

namespace nightdrop::vectors {
namespace {

std::string pin_of(const Result<SecretBytes>& pin) {
  if (!pin) return errc_name(pin.error().code);
  return {pin->view().begin(), pin->view().end()};
}

TEST(PinBlockVectors, Format4) {
  const Json json = load("pin_block.json");
  for (const JsonView vector : json["format4"].items()) {
    SCOPED_TRACE(text_of(vector["id"]));
    const auto key = bytes_of_hex(vector["key"]);
    const std::string pin = text_of(vector["pin"]);
    std::string pan = text_of(vector["pan"]);
    if (text_of(vector["id"]) == "wpay-12-digit-pan") {
      // That acquirer's other form, which nobody gets by the standard's rules.
      EXPECT_NE(hex_of(pin_block::format4_pan_field(bytes_of(pan))), text_of(vector["pan_field"]));
      const auto digits = pin_block::account_digits(bytes_of(pan));
      ASSERT_TRUE(digits);
      pan.assign(digits->begin(), digits->end());
    }
    if (vector["bdk"].is_string()) {
      const auto ksn = dukpt::parse_ksn_hex(text_of(vector["ksn"]));
      ASSERT_TRUE(ksn);
      const auto initial_key = dukpt::derive_initial_key(bytes_of_hex(vector["bdk"]), dukpt::initial_key_id(*ksn));
      EXPECT_EQ(hex_of(dukpt::derive_working_key(initial_key->view(), *ksn, dukpt::Usage::PinEncryption,
                                                 *dukpt::aes_kind(key.size()))),
                text_of(vector["key"]));
    }
    const auto field = bytes_of_hex(vector["pin_field"]);
    const std::span<const std::uint8_t, 8> random(field.data() + 8, 8);
    EXPECT_EQ(hex_of(pin_block::format4_pin_field(bytes_of(pin), random)), text_of(vector["pin_field"]));
    EXPECT_EQ(hex_of(pin_block::format4_pan_field(bytes_of(pan))), text_of(vector["pan_field"]));
    EXPECT_EQ(hex_of(pin_block::encrypt_format4(key, bytes_of(pin), bytes_of(pan), random)),
              text_of(vector["pin_block"]));
    EXPECT_EQ(pin_of(pin_block::decrypt_format4(key, bytes_of_hex(vector["pin_block"]), bytes_of(pan))), pin);
    const auto fresh = pin_block::encrypt_format4(key, bytes_of(pin), bytes_of(pan));
    ASSERT_TRUE(fresh);
    EXPECT_NE(hex_upper(*fresh), text_of(vector["pin_block"]));
    EXPECT_EQ(pin_of(pin_block::decrypt_format4(key, *fresh, bytes_of(pan))), pin);
  }
  EXPECT_EQ(json["format4"].size(), 16u);
}

TEST(PinBlockVectors, Format4Fields) {
  const Json json = load("pin_block.json");
  for (const JsonView entry : json["format4_fields"].items()) {
    if (text_of(entry["kind"]) == "pan_field") {
      EXPECT_EQ(hex_of(pin_block::format4_pan_field(bytes_of(text_of(entry["pan"])))), text_of(entry["hex"]));
    } else {
      const std::array<std::uint8_t, 8> random{};
      const auto field = hex_of(pin_block::format4_pin_field(bytes_of(text_of(entry["pin"])), random));
      EXPECT_EQ(field.substr(0, 16), text_of(entry["hex"]));
    }
  }
}

TEST(PinBlockVectors, Formats0To3) {
  const Json json = load("pin_block.json");
  for (const JsonView vector : json["formats_0_to_3"].items()) {
    const std::string pin = text_of(vector["pin"]);
    const std::string pan(vector["pan"].string().value_or(""));
    const auto block = bytes_of_hex(vector["block"]);
    SCOPED_TRACE(text_of(vector["block"]));
    switch (vector["format"].integer().value()) {
      case 0:
        EXPECT_EQ(hex_of(pin_block::encode_format0(bytes_of(pin), bytes_of(pan))), text_of(vector["block"]));
        EXPECT_EQ(pin_of(pin_block::decode_format0(block, bytes_of(pan))), pin);
        break;
      case 1:
        EXPECT_EQ(hex_of(pin_block::encode_format1(bytes_of(pin), text_of(vector["transaction_field"]))),
                  text_of(vector["block"]));
        EXPECT_EQ(pin_of(pin_block::decode_format1(block)), pin);
        EXPECT_EQ(pin_of(pin_block::decode_format1(pin_block::encode_format1(bytes_of(pin))->view())), pin);
        break;
      case 2:
        EXPECT_EQ(hex_of(pin_block::encode_format2(bytes_of(pin))), text_of(vector["block"]));
        EXPECT_EQ(pin_of(pin_block::decode_format2(block)), pin);
        break;
      case 3:
        EXPECT_EQ(hex_of(pin_block::encode_format3(bytes_of(pin), bytes_of(pan), text_of(vector["fill"]))),
                  text_of(vector["block"]));
        EXPECT_EQ(pin_of(pin_block::decode_format3(block, bytes_of(pan))), pin);
        EXPECT_EQ(pin_of(pin_block::decode_format3(pin_block::encode_format3(bytes_of(pin), bytes_of(pan))->view(),
                                                   bytes_of(pan))),
                  pin);
        break;
      default: FAIL() << "a format nobody knows";
    }
  }
  EXPECT_EQ(json["formats_0_to_3"].size(), 10u);
}

// Whether the wrong thing of a negative vector is refused.
bool refused(JsonView entry) {
  const std::string what = text_of(entry["what"]);
  const auto bytes = [&](const char* name) {
    return entry[name].is_string() ? bytes_of_hex(entry[name]) : std::vector<std::uint8_t>{};
  };
  const std::string pan(entry["pan"].string().value_or(""));
  const std::string pin(entry["pin"].string().value_or(""));
  const auto block = bytes("block");
  if (what == "decipher format 4") return !pin_block::decrypt_format4(bytes("key"), block, bytes_of(pan));
  if (what == "decode format 0") return !pin_block::decode_format0(block, bytes_of(pan));
  if (what == "decode format 2") return !pin_block::decode_format2(block);
  if (what == "decode format 3") return !pin_block::decode_format3(block, bytes_of(pan));
  if (what == "decode format 4 PIN field") return !pin_block::decode_format4_pin_field(block);
  if (what == "encode format 0") return !pin_block::encode_format0(bytes_of(pin), bytes_of(pan));
  if (what == "encode format 4") return !pin_block::encrypt_format4(bytes("key"), bytes_of(pin), bytes_of(pan));
  ADD_FAILURE() << what;
  return false;
}

TEST(PinBlockVectors, Negative) {
  const Json json = load("pin_block.json");
  for (const JsonView entry : json["negative"].items()) EXPECT_TRUE(refused(entry)) << entry.dump();
  EXPECT_EQ(json["negative"].size(), 26u);
}

TEST(PinBlockVectors, TdesDukptWithFormat0) {
  const Json json = load("pin_block.json");
  const JsonView vectors = json["tdes_dukpt_format0"];
  const auto bdk = bytes_of_hex(vectors["bdk"]);
  const std::string pin = text_of(vectors["pin"]);
  const std::string pan = text_of(vectors["pan"]);
  const auto clear = pin_block::encode_format0(bytes_of(pin), bytes_of(pan));
  ASSERT_EQ(hex_of(clear), text_of(vectors["clear_block"]));
  std::string input = "4012345678909D987";
  ASSERT_TRUE(text_of(vectors["mac_and_data_input"]).starts_with(input));
  input.resize(24, '\0');
  for (const JsonView record : vectors["records"].items()) {
    SCOPED_TRACE(text_of(record["ksn"]));
    dukpt_tdes::Ksn ksn{};
    std::ranges::copy(bytes_of_hex(record["ksn"]), ksn.begin());
    const auto initial_key = dukpt_tdes::derive_initial_key(bdk, ksn);
    ASSERT_EQ(hex_of(initial_key), text_of(vectors["ipek"]));
    const auto key = dukpt_tdes::derive_transaction_key(initial_key->view(), ksn);
    ASSERT_EQ(hex_of(key), text_of(record["transaction_key"]));
    const auto pin_key = dukpt_tdes::pin_key(*key);
    EXPECT_EQ(hex_upper(pin_key.view()), text_of(record["pin_key"]));
    std::vector<std::uint8_t> block(8);
    ASSERT_TRUE(ecb_encrypt(BlockCipher::Tdes, pin_key.view(), clear->view(), block));
    EXPECT_EQ(hex_upper(block), text_of(record["pin_block_format0_encrypted"]));
    EXPECT_EQ(hex_of(dukpt_tdes::retail_mac(dukpt_tdes::mac_request_key(*key), bytes_of(input))),
              text_of(record["mac_request"]));
    const auto data_key = dukpt_tdes::data_request_key(*key);
    ASSERT_TRUE(data_key);
    std::vector<std::uint8_t> data(24);
    ASSERT_TRUE(cbc_encrypt(BlockCipher::Tdes, data_key->view(), std::array<std::uint8_t, 8>{}, bytes_of(input), data));
    EXPECT_EQ(hex_upper(data), text_of(record["data_request"]));
  }
  EXPECT_GE(vectors["records"].size(), 10u);
}

TEST(PinBlockVectors, TdesDukptRefusesCountersThatAreNoTransactions) {
  const std::vector<std::uint8_t> key(16, 1);
  EXPECT_FALSE(dukpt_tdes::derive_transaction_key(key, {0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x00, 0x00}));
  EXPECT_FALSE(dukpt_tdes::derive_transaction_key(key, {0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xFF, 0xFF, 0xFF}));
}

}  // namespace
}  // namespace nightdrop::vectors

// The envelope: what the reader seals, the acquirer alone opens, and only for the payment it was sealed for.
#include "crypto/envelope.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "crypto/pin_block.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop {
namespace {

constexpr dukpt::InitialKeyId id{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56};
constexpr std::string_view plaintext = "57114242424242424242D301222015413300000F";  // any bytes do

class EnvelopeTest : public testing::TestWithParam<std::size_t> {
 protected:
  EnvelopeTest() : bdk_(GetParam(), 0x5A) {}
  dukpt::DukptDevice device() const {
    return dukpt::DukptDevice::load(dukpt::derive_initial_key(bdk_, id)->view(), id).value();
  }
  std::vector<std::uint8_t> bdk_;
};

TEST(EnvelopeAad, IsTheContractsText) {
  EXPECT_EQ(envelope_aad({.id = "pi_0193f0c4a1b27c3d8e4f5a6b7c8d9e0f",
                          .kind = ObjectKind::Refund,
                          .card_amount = 1250,
                          .currency = {},
                          .terminal_id = "ND000001"}),
            "nightdrop/1\npi_0193f0c4a1b27c3d8e4f5a6b7c8d9e0f\nrefund\n1250\nusd\nND000001");
}

TEST_P(EnvelopeTest, RoundTrip) {
  auto reader = device();
  ASSERT_TRUE(reader.skip_past(41));
  const std::string aad = envelope_aad({.id = "pi_1", .card_amount = 1, .terminal_id = "T"});
  const auto envelope = seal_envelope(reader, bytes_of(plaintext), aad, bytes_of("1234"), bytes_of("4242424242424242"));
  ASSERT_TRUE(envelope);
  EXPECT_EQ(dukpt::transaction_counter(envelope->ksn), 42u);
  EXPECT_EQ(envelope->key_type, GetParam() == 32 ? KeyType::Aes256 : KeyType::Aes128);
  EXPECT_EQ(envelope->ciphertext.size(), plaintext.size() + 16);
  EXPECT_TRUE(std::ranges::equal(open_envelope(bdk_, *envelope, aad)->view(), bytes_of(plaintext)));
  EXPECT_TRUE(
      std::ranges::equal(open_envelope_pin(bdk_, *envelope, bytes_of("4242424242424242"))->view(), bytes_of("1234")));
  EXPECT_EQ(open_envelope_pin(bdk_, *envelope, bytes_of("4242424242424241")).error().code, Errc::Malformed);
}

TEST_P(EnvelopeTest, OpensForNothingElse) {
  const auto reader = device();
  const auto envelope = seal_envelope(reader, bytes_of(plaintext), "aad", {}, {}).value();
  EXPECT_EQ(open_envelope(bdk_, envelope, "aae").error().code, Errc::WrongKey);
  auto other_bdk = bdk_;
  other_bdk[0] ^= 1;
  EXPECT_EQ(open_envelope(other_bdk, envelope, "aad").error().code, Errc::WrongKey);
  EXPECT_EQ(open_envelope_pin(bdk_, envelope, bytes_of("4242424242424242")).error().code, Errc::NotFound);
  auto moved = envelope;
  moved.ksn = dukpt::make_ksn(id, 2);
  EXPECT_EQ(open_envelope(bdk_, moved, "aad").error().code, Errc::WrongKey);
  moved.ksn = dukpt::make_ksn(id, 0);
  EXPECT_EQ(open_envelope(bdk_, moved, "aad").error().code, Errc::InvalidArgument);
  moved.ksn = dukpt::make_ksn(id, 0x0001FFFF);  // 17 one-bits
  EXPECT_EQ(open_envelope(bdk_, moved, "aad").error().code, Errc::InvalidArgument);
  auto stronger = envelope;
  stronger.key_type = KeyType::Aes192;
  EXPECT_EQ(open_envelope(bdk_, stronger, "aad").error().code, Errc::InvalidArgument);
}

TEST_P(EnvelopeTest, RefusesWhatIsNoPin) {
  const auto reader = device();
  EXPECT_EQ(seal_envelope(reader, bytes_of(plaintext), "", bytes_of("12"), bytes_of("4242424242424242")).error().code,
            Errc::InvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(KeySizes, EnvelopeTest, testing::Values(16, 24, 32));

TEST(Fingerprint, IsTheSameCardUnderTheSameKeyAlone) {
  const std::string first = card_fingerprint(bytes_of("merchant key one"), bytes_of("4242424242424242"));
  EXPECT_EQ(first.size(), 3u + 32);
  EXPECT_TRUE(first.starts_with("fp_"));
  EXPECT_EQ(first, card_fingerprint(bytes_of("merchant key one"), bytes_of("4242424242424242")));
  EXPECT_NE(first, card_fingerprint(bytes_of("merchant key one"), bytes_of("4242424242424243")));
  EXPECT_NE(first, card_fingerprint(bytes_of("merchant key two"), bytes_of("4242424242424242")));
  // HMAC-SHA-256 test case 2 of RFC 4231, cut to 16 bytes.
  EXPECT_EQ(card_fingerprint(bytes_of("Jefe"), bytes_of("what do ya want for nothing?")),
            "fp_5bdcc146bf60754e6a042426089575c7");
}

}  // namespace
}  // namespace nightdrop

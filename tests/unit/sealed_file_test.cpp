// The acquirer reads a sealed export (docs/sealed_export.md): whole, unchanged, and by the reader that is registered.
// Whoever changes the file can also make its digest fit again; the signature is what nobody else can make.
#include "simulator/acquirer/sealed_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "crypto/primitives.hpp"
#include "json/json.hpp"
#include "nightdrop/encoding.hpp"
#include "x509/memory_key.hpp"

namespace nightdrop::simulator {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr UtcMs at = 1'790'000'000'000;
const std::string sale = "pi_" + std::string(32, 'a');
const std::string refund = "re_" + std::string(32, 'b');

std::string digest_of(const std::string& lines) {
  return hex_lower(sha256(bytes_of(lines)));
}

// The last line, as the reader that has `key` would write it.
std::string last_line(const std::string& lines, const std::string& serial, const x509::MemoryKey& key) {
  const std::string digest = digest_of(lines);
  Json last = Json::object();
  last.set("sha256", digest);
  last.set("signature", to_base64(key.sign(bytes_of("nightdrop-sealed/1\n" + serial + "\n" + digest)).value()));
  return last.dump() + "\n";
}

std::string lines_of(const std::string& serial, int amount) {
  return R"({"format":"nightdrop-sealed/1","serial_number":")" + serial +
         R"(","created":"2026-09-21T00:00:00.000Z","count":2,"reversals":1})"
         "\n" +
         R"({"payment":{"id":")" + sale + R"(","amount":)" + std::to_string(amount) + R"(},"key":")" + sale +
         R"(","status":"stored"})"
         "\n" +
         R"({"payment":{"id":")" + refund + R"("},"key":")" + refund + R"(","status":"expired"})" + "\n" +
         R"({"reversal":{"reason":"canceled"},"id":")" + sale + R"(","key":")" + sale + R"(:reversal"})" + "\n";
}

class SealedExport : public testing::Test {
 protected:
  SealedExport() {
    std::string name = "/tmp/nd-sealed-XXXXXX";
    folder_ = mkdtemp(name.data());
    fs::create_directory(folder_ / "readers");
    register_reader("ND000001", reader_);
    register_reader("ND000002", other_);
  }
  ~SealedExport() override { fs::remove_all(folder_); }

  void register_reader(const std::string& serial, const x509::MemoryKey& key) const {
    const x509::IssueOptions options{"CA", "01", at, at + 1000, x509::Purpose::Authority, {}};
    const auto authority = x509::make_authority(authority_.signer(), options).value();
    const x509::IssueOptions own{serial, "02", at, at + 1000, x509::Purpose::Client, {}};
    const auto certificate = x509::issue(authority_.signer(), authority, key.public_key(), own).value();
    std::ofstream(folder_ / "readers" / (serial + ".pem")) << certificate.pem();
  }
  // What is wrong with the file; empty when it is good.
  std::string fault(const std::string& text) const {
    const auto file = read_sealed(text, folder_.string());
    return file ? std::string() : file.error();
  }

  x509::MemoryKey authority_ = x509::MemoryKey::generate().value();
  x509::MemoryKey reader_ = x509::MemoryKey::generate().value();
  x509::MemoryKey other_ = x509::MemoryKey::generate().value();
  std::string lines_ = lines_of("ND000001", 1'000);
  std::string good_ = lines_ + last_line(lines_, "ND000001", reader_);
  fs::path folder_;
};

TEST_F(SealedExport, IsReadAsItWasWritten) {
  const auto file = read_sealed(good_, folder_.string());
  ASSERT_TRUE(file) << file.error();
  EXPECT_EQ(file->serial_number, "ND000001");
  ASSERT_EQ(file->payments.size(), 2U);
  EXPECT_EQ(file->payments[0].id, sale);
  EXPECT_EQ(file->payments[0].body, R"({"id":")" + sale + R"(","amount":1000})") << "byte for byte";
  EXPECT_FALSE(file->payments[0].expired);
  EXPECT_TRUE(file->payments[1].expired);
  ASSERT_EQ(file->reversals.size(), 1U);
  EXPECT_EQ(file->reversals[0].key, sale + ":reversal");
}

TEST_F(SealedExport, NoByteOfItMayChange) {
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    std::string changed = good_;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_NE(fault(changed), "") << i;
  }
  for (std::size_t size = 0; size < good_.size(); ++size) EXPECT_NE(fault(good_.substr(0, size)), "") << size;
  const std::string digest = digest_of(lines_);
  std::string other_digest = good_;
  other_digest.replace(other_digest.find(digest), digest.size(), digest_of("x"));
  EXPECT_THAT(fault(other_digest), HasSubstr("was changed"));
}

TEST_F(SealedExport, IsOfTheRegisteredReaderAloneHoweverWellItsDigestFits) {
  const std::string dearer = lines_of("ND000001", 100'000);
  EXPECT_THAT(fault(dearer + last_line(dearer, "ND000001", other_)), HasSubstr("signature")) << "by another reader";
  std::string kept = last_line(lines_, "ND000001", reader_);
  kept.replace(kept.find(digest_of(lines_)), 64, digest_of(dearer));
  EXPECT_THAT(fault(dearer + kept), HasSubstr("signature")) << "the signature of the file as it was";
  const std::string moved = lines_of("ND000002", 1'000);
  EXPECT_THAT(fault(moved + last_line(moved, "ND000001", reader_)), HasSubstr("signature")) << "as another reader's";
  EXPECT_THAT(fault(moved + last_line(moved, "ND000002", reader_)), HasSubstr("signature")) << "as another reader's";
  const std::string unknown = lines_of("ND000003", 1'000);
  EXPECT_THAT(fault(unknown + last_line(unknown, "ND000003", reader_)), HasSubstr("not registered"));
  EXPECT_EQ(fault(dearer + last_line(dearer, "ND000001", reader_)), "") << "the reader itself says so";
}

// The reader was erased and provisioned again, with another key, before anybody took its export in.
TEST_F(SealedExport, OfAReadersEarlierLifeIsReadByTheCertificateOfThen) {
  const fs::path former = folder_ / "readers" / "former" / "ND000001";
  fs::create_directories(former);
  fs::rename(folder_ / "readers" / "ND000001.pem", former / "0123456789abcdef.pem");
  const x509::MemoryKey present = x509::MemoryKey::generate().value();
  register_reader("ND000001", present);
  EXPECT_EQ(fault(good_), "");
  EXPECT_EQ(fault(lines_ + last_line(lines_, "ND000001", present)), "");
  EXPECT_THAT(fault(lines_ + last_line(lines_, "ND000001", other_)), HasSubstr("signature"));
  const std::string moved = lines_of("ND000002", 1'000);
  EXPECT_THAT(fault(moved + last_line(moved, "ND000002", reader_)), HasSubstr("signature")) << "as another reader's";
}

// A serial number is part of a path.
TEST_F(SealedExport, ItsSerialNumberIsNoPath) {
  for (const char* serial : {"", ".", "../readers/ND000001", "a/b", ".ND000001"}) {
    const std::string lines = lines_of(serial, 1'000);
    EXPECT_EQ(fault(lines + last_line(lines, serial, reader_)), "serial_number: is none") << serial;
  }
}

}  // namespace
}  // namespace nightdrop::simulator

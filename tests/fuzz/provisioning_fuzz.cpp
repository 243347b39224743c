// Bytes from a provisioning line: frames, the handshake's messages, the JSON inside the records, an erase order.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "nightdrop/encoding.hpp"
#include "provisioning/erase_order.hpp"
#include "provisioning/frames.hpp"
#include "provisioning/handshake.hpp"
#include "provisioning/messages.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern const char* const fuzz_seeds[];

// The small fuzzer's seeds end at a zero byte: lengths here are of three non-zero bytes, or the frame's end is cut.
const char* const fuzz_seeds[] = {
    "NDP1\x01\x01\x01\x01",
    "login: NDP1NDP1\x02\x7f",
    R"({"type":"make_identity","common_name":"ND000007"})",
    R"({"type":"install","files":[{"name":"ca.pem","content":"x\n"}],"initial_key_block":"D0","fingerprint_key_block":"D0","development":true})",
    R"({"type":"prove","challenge":"0000000000000000000000000000000000000000000000000000000000000000"})",
    R"({"type":"proof","signature":"AAAA","ksn":"001122334455667700000001","mac":"00112233445566770011223344556677"})",
    R"({"type":"refused","reason":"ca.pem: is missing"})",
    R"({"serial_number":"ND000007","factory_key":"04","state":"provisioned","firmware_version":"0.1.0","certificate_serial":"0a","initial_key_id":"0011223344556677"})",
    R"({"order":"{\"type\":\"erase\"}","certificates":"-----BEGIN CERTIFICATE-----","signature":"AAAA"})",
    nullptr};

namespace {

using namespace nightdrop;

// Gives the input once, in pieces, and then the end of the line.
class InputStream final : public provisioning::Stream {
 public:
  explicit InputStream(std::span<const std::uint8_t> input) : left_(input) {}
  Result<std::size_t> read_some(std::span<std::uint8_t> into, provisioning::Deadline) override {
    if (left_.empty()) return failure(Errc::NotFound, "the end");
    const std::size_t size = std::min({left_.size(), into.size(), std::size_t{7}});
    std::ranges::copy(left_.first(size), into.begin());
    left_ = left_.subspan(size);
    return size;
  }
  Result<void> write_all(std::span<const std::uint8_t>, provisioning::Deadline) override { return {}; }

 private:
  std::span<const std::uint8_t> left_;
};

void read_frames(std::span<const std::uint8_t> input) {
  using provisioning::FrameType;
  InputStream strict(input);
  provisioning::FrameLine line(strict, std::chrono::milliseconds(0));
  while (const auto frame = line.read(provisioning::never)) ND_ASSERT(frame->payload.size() <= input.size());
  InputStream scanned(input);
  provisioning::FrameLine scanner(scanned, std::chrono::milliseconds(0));
  while (const auto frame = scanner.find(FrameType::StationHello, provisioning::never)) {
    ND_ASSERT(frame->type == FrameType::StationHello && frame->payload.size() <= provisioning::hello_payload_max);
    scanner.reject();
  }
}

// What decodes encodes to the same bytes: there is one spelling.
void read_handshake(std::span<const std::uint8_t> input) {
  if (const auto hello = provisioning::decode_hello(input)) {
    ND_ASSERT(std::ranges::equal(provisioning::encode_hello(*hello), input));
  }
  if (const auto hello = provisioning::decode_reader_hello(input)) {
    ND_ASSERT(std::ranges::equal(provisioning::encode_reader_hello(*hello), input));
  }
  if (const auto auth = provisioning::decode_auth(input)) {
    ND_ASSERT(std::ranges::equal(provisioning::encode_auth(*auth), input));
  }
}

void read_messages(std::string_view text) {
  if (const auto facts = provisioning::decode_facts(text)) {
    ND_ASSERT(provisioning::decode_facts(provisioning::encode_facts(*facts)).has_value());
  }
  if (const auto request = provisioning::decode_request(text)) {
    ND_ASSERT(provisioning::decode_request(provisioning::encode(*request)).has_value());
  }
  if (const auto answer = provisioning::decode_answer(text)) {
    ND_ASSERT(provisioning::decode_answer(provisioning::encode(*answer)).has_value());
  }
  const x509::Certificate nobody;
  ND_ASSERT(!provisioning::check_erase_order(text, nobody, "ND000007", "0a", 0));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> input(data, size);
  read_frames(input);
  read_handshake(input);
  read_messages({reinterpret_cast<const char*>(data), size});
  return 0;
}

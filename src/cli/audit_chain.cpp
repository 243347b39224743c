// The chain's arithmetic, and as much of X.509 as finds a key; see audit_chain.hpp.
#include "cli/audit_chain.hpp"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "crypto/primitives.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::cli {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::array<std::uint8_t, 7> ec_public_key{0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01};
constexpr std::array<std::uint8_t, 8> prime256v1{0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
constexpr std::array<std::uint8_t, 3> common_name{0x55, 0x04, 0x03};
constexpr std::array<std::uint8_t, 3> serial_number{0x55, 0x04, 0x05};

struct Tlv {
  std::uint8_t tag{0};
  Bytes value;
};

// The next DER element, taken off the front.
std::optional<Tlv> take_tlv(Bytes& data) {
  if (data.size() < 2) return std::nullopt;
  const std::uint8_t tag = data[0];
  std::size_t length = data[1];
  std::size_t header = 2;
  if (length >= 0x80) {
    const std::size_t count = length & 0x7FU;
    if (count == 0 || count > 3 || data.size() < 2 + count) return std::nullopt;
    length = 0;
    for (std::size_t i = 0; i < count; ++i) length = length << 8U | data[2 + i];
    header += count;
  }
  if (data.size() - header < length) return std::nullopt;
  const Tlv element{tag, data.subspan(header, length)};
  data = data.subspan(header + length);
  return element;
}

std::optional<Bytes> take_value(Bytes& data, std::uint8_t tag) {
  const auto element = take_tlv(data);
  if (!element || element->tag != tag) return std::nullopt;
  return element->value;
}

bool same(Bytes a, Bytes b) {
  return std::ranges::equal(a, b);
}

// The subject's attribute of this type; empty when it has none.
std::string attribute(Bytes name, Bytes type) {
  while (auto set = take_value(name, 0x31)) {
    auto pair = take_value(*set, 0x30);
    if (!pair) return {};
    const auto id = take_value(*pair, 0x06);
    const auto value = take_tlv(*pair);
    if (id && value && same(*id, type)) return {value->value.begin(), value->value.end()};
  }
  return {};
}

Result<P256Point> key_of(Bytes public_key_info) {
  auto algorithm = take_value(public_key_info, 0x30);
  const auto bits = take_value(public_key_info, 0x03);
  if (!algorithm || !bits) return failure(Errc::Malformed, "the certificate holds no public key");
  const auto id = take_value(*algorithm, 0x06);
  const auto curve = take_value(*algorithm, 0x06);
  P256Point key{};
  if (!id || !curve || !same(*id, ec_public_key) || !same(*curve, prime256v1) || bits->size() != key.size() + 1 ||
      (*bits)[0] != 0) {
    return failure(Errc::Unsupported, "the certificate's key is not on the curve P-256");
  }
  std::ranges::copy(bits->subspan(1), key.begin());
  return key;
}

// The DER inside the PEM block of this kind; empty when there is none.
std::vector<std::uint8_t> pem_block(std::string_view pem, std::string_view kind) {
  const std::string begin = "-----BEGIN " + std::string(kind) + "-----";
  const std::string end = "-----END " + std::string(kind) + "-----";
  const std::size_t from = pem.find(begin);
  const std::size_t to = from == std::string_view::npos ? from : pem.find(end, from);
  if (to == std::string_view::npos) return {};
  std::string body(pem.substr(from + begin.size(), to - from - begin.size()));
  std::erase_if(body, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
  return from_base64(body).value_or(std::vector<std::uint8_t>());
}

std::string at(std::uint64_t seq) {
  return "event " + std::to_string(seq);
}

std::optional<std::array<std::uint8_t, 32>> hash_of(std::string_view hex) {
  const auto bytes = from_hex(hex);
  std::array<std::uint8_t, 32> hash{};
  if (!bytes || bytes->size() != hash.size()) return std::nullopt;
  std::ranges::copy(*bytes, hash.begin());
  return hash;
}

std::optional<std::uint64_t> seq_of(JsonView value) {
  const auto seq = value.integer();
  return seq && *seq >= 0 ? std::optional(static_cast<std::uint64_t>(*seq)) : std::nullopt;
}

}  // namespace

Result<ReaderCertificate> parse_certificate(std::string_view pem) {
  if (const auto key = p256_from_spki_pem(pem)) return ReaderCertificate{*key, {}};
  const std::vector<std::uint8_t> der = pem_block(pem, "CERTIFICATE");
  Bytes rest(der);
  auto certificate = take_value(rest, 0x30);
  if (!certificate) return failure(Errc::Malformed, "the file is no PEM certificate");
  auto body = take_value(*certificate, 0x30);
  if (!body) return failure(Errc::Malformed, "the file is no PEM certificate");
  Bytes fields = *body;
  if (!fields.empty() && fields[0] == 0xA0) take_tlv(fields);  // version
  take_tlv(fields);                                            // serial number of the certificate
  take_tlv(fields);                                            // signature algorithm
  take_tlv(fields);                                            // issuer
  take_tlv(fields);                                            // validity
  const auto subject = take_value(fields, 0x30);
  const auto public_key_info = take_value(fields, 0x30);
  if (!subject || !public_key_info) return failure(Errc::Malformed, "the certificate cannot be read");
  const auto key = key_of(*public_key_info);
  if (!key) return std::unexpected(key.error());
  std::string serial = attribute(*subject, serial_number);
  if (serial.empty()) serial = attribute(*subject, common_name);
  return ReaderCertificate{*key, serial};
}

std::optional<std::string> AuditChain::start(std::uint64_t seq, std::string_view hash_hex) {
  const auto hash = hash_of(hash_hex);
  if (!hash) return "the journal's start has no hash of 32 bytes";
  begun_ = true;
  last_seq_ = seq;
  hash_ = *hash;
  return std::nullopt;
}

std::optional<std::string> AuditChain::take(JsonView line) {
  if (line["checkpoint"].is_object()) {
    return take_checkpoint(line["checkpoint"], line["signature"].string().value_or(std::string_view()));
  }
  return take_event(line);
}

std::optional<std::string> AuditChain::take_event(JsonView line) {
  const auto seq = seq_of(line["seq"]);
  const auto event = line["event"].string();
  const auto told = hash_of(line["hash"].string().value_or(std::string_view()));
  if (!seq || !event || !told) return "after " + at(last_seq_) + ": a line is neither an event nor a checkpoint";
  if (!begun_ && *seq > 1) {  // a pruned journal: nothing before it can be checked, the next checkpoint covers it
    begun_ = true;
    first_seq_ = last_seq_ = *seq;
    hash_ = *told;
    ++events_;
    return std::nullopt;
  }
  begun_ = true;
  if (*seq != last_seq_ + 1) return at(last_seq_ + 1) + " is missing: " + at(*seq) + " follows " + at(last_seq_);
  const Digest computed = sha256(hash_, bytes_of(*event));
  if (computed != *told) return at(*seq) + " was changed: its hash is not that of its text and what came before";
  hash_ = computed;
  last_seq_ = *seq;
  if (!first_seq_) first_seq_ = *seq;
  ++events_;
  return std::nullopt;
}

std::optional<std::string> AuditChain::take_checkpoint(JsonView checkpoint, std::string_view signature) {
  const auto seq = seq_of(checkpoint["seq"]);
  const std::string hex(checkpoint["hash"].string().value_or(std::string_view()));
  const auto hash = hash_of(hex);
  if (!seq || !hash) return "after " + at(last_seq_) + ": a checkpoint cannot be read";
  if (key_) {
    const std::string message = "nightdrop-checkpoint\n" + serial_number_ + "\n" + std::to_string(*seq) + "\n" + hex;
    const auto der = from_base64(signature);
    if (!der || !p256_verify(*key_, bytes_of(message), *der)) {
      return "the checkpoint at " + at(*seq) + " is not signed by this reader (serial number " + serial_number_ + ")";
    }
  }
  if (!begun_) {  // a pruned journal, begun by its checkpoint
    begun_ = true;
    last_seq_ = *seq;
    hash_ = *hash;
  }
  if (*seq != last_seq_) return "the checkpoint at " + at(*seq) + " stands after " + at(last_seq_);
  if (*hash != hash_) return "the checkpoint at " + at(*seq) + " signs another chain: its hash differs";
  ++checkpoints_;
  signed_through_ = *seq;
  return std::nullopt;
}

}  // namespace nightdrop::cli

#include "provisioning/handshake.hpp"

#include <algorithm>

#include "config/fields.hpp"
#include "json/json.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::provisioning {
namespace {

constexpr std::string_view protocol_name = "nightdrop-provisioning/1";
constexpr std::size_t head_size = 1 + 65 + 32;
constexpr std::size_t facts_max = 2048;
constexpr std::size_t signature_max = 72;  // DER
constexpr std::size_t chain_max = 4;
constexpr std::size_t certificate_max = 4096;

void put_length(Bytes& out, std::size_t length) {
  out.push_back(static_cast<std::uint8_t>(length >> 8));
  out.push_back(static_cast<std::uint8_t>(length));
}
void put_part(Bytes& out, std::span<const std::uint8_t> part) {
  put_length(out, part.size());
  out.insert(out.end(), part.begin(), part.end());
}

// Takes parts off the front; once one is missing, all that follow are empty and whole() is false.
class Parts {
 public:
  explicit Parts(std::span<const std::uint8_t> bytes) : rest_(bytes) {}
  std::span<const std::uint8_t> fixed(std::size_t size) {
    if (rest_.size() < size) broken_ = true;
    if (broken_) return {};
    const auto part = rest_.first(size);
    rest_ = rest_.subspan(size);
    return part;
  }
  std::span<const std::uint8_t> part(std::size_t max) {
    const auto length = fixed(2);
    if (broken_) return {};
    const std::size_t size = std::size_t{length[0]} << 8 | length[1];
    if (size == 0 || size > max) broken_ = true;
    return fixed(size);
  }
  bool whole() const { return !broken_ && rest_.empty(); }
  bool broken() const { return broken_; }

 private:
  std::span<const std::uint8_t> rest_;
  bool broken_{false};
};

HelloHead read_head(Parts& parts) {
  HelloHead hello;
  const auto bytes = parts.fixed(head_size);
  if (parts.broken()) return hello;
  hello.version = bytes[0];
  std::ranges::copy(bytes.subspan(1, 65), hello.ephemeral.begin());
  std::ranges::copy(bytes.subspan(66), hello.nonce.begin());
  return hello;
}

Bytes signed_part(const SignedHello& hello) {
  Bytes bytes = encode_hello(hello.head);
  put_part(bytes, bytes_of(hello.facts));
  return bytes;
}
Bytes signed_part(const Auth& auth) {
  Bytes bytes{static_cast<std::uint8_t>(auth.chain.size())};
  for (const Bytes& certificate : auth.chain) put_part(bytes, certificate);
  return bytes;
}

// SHA-256 of the parts, each with its length before it, so that no two transcripts have the same bytes.
Digest transcript(std::initializer_list<std::span<const std::uint8_t>> parts) {
  Bytes bytes;
  for (const auto part : parts) {
    for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<std::uint8_t>(part.size() >> shift));
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  return sha256(bytes);
}

Bytes named(std::string_view name, const Digest& hash) {
  Bytes bytes(protocol_name.begin(), protocol_name.end());
  bytes.insert(bytes.end(), name.begin(), name.end());
  bytes.insert(bytes.end(), hash.begin(), hash.end());
  return bytes;
}

bool is_hex(std::string_view text) {
  return config::only(text, "0123456789abcdef");
}

}  // namespace

Bytes encode_hello(const HelloHead& hello) {
  Bytes bytes{hello.version};
  bytes.insert(bytes.end(), hello.ephemeral.begin(), hello.ephemeral.end());
  bytes.insert(bytes.end(), hello.nonce.begin(), hello.nonce.end());
  return bytes;
}

Bytes encode_reader_hello(const SignedHello& hello) {
  Bytes bytes = signed_part(hello);
  put_part(bytes, hello.signature);
  return bytes;
}

Bytes encode_auth(const Auth& auth) {
  Bytes bytes = signed_part(auth);
  put_part(bytes, auth.signature);
  return bytes;
}

Result<HelloHead> decode_hello(std::span<const std::uint8_t> payload) {
  Parts parts(payload);
  const HelloHead hello = read_head(parts);
  if (!parts.whole()) return failure(Errc::Malformed, "the station's Hello has a wrong length");
  if (hello.version != protocol_version) return failure(Errc::Unsupported, "another version of the protocol");
  return hello;
}

Result<SignedHello> decode_reader_hello(std::span<const std::uint8_t> payload) {
  Parts parts(payload);
  SignedHello hello{read_head(parts), {}, {}};
  const auto facts = parts.part(facts_max);
  hello.facts.assign(facts.begin(), facts.end());
  const auto signature = parts.part(signature_max);
  hello.signature.assign(signature.begin(), signature.end());
  if (!parts.whole()) return failure(Errc::Malformed, "the reader's Hello is cut or too long");
  if (hello.head.version != protocol_version) return failure(Errc::Unsupported, "another version of the protocol");
  return hello;
}

Result<Auth> decode_auth(std::span<const std::uint8_t> payload) {
  Parts parts(payload);
  Auth auth;
  const auto count = parts.fixed(1);
  if (count.empty() || count[0] == 0 || count[0] > chain_max) {
    return failure(Errc::Malformed, "the station's chain has 1 to 4 certificates");
  }
  for (std::size_t i = 0; i < count[0]; ++i) {
    const auto certificate = parts.part(certificate_max);
    auth.chain.emplace_back(certificate.begin(), certificate.end());
  }
  const auto signature = parts.part(signature_max);
  auth.signature.assign(signature.begin(), signature.end());
  if (!parts.whole()) return failure(Errc::Malformed, "the station's proof is cut or too long");
  return auth;
}

std::string encode_facts(const ReaderHello& facts) {
  Json json = Json::object();
  json.set("serial_number", facts.serial_number)
      .set("factory_key", hex_lower(facts.factory_key))
      .set("state", facts.state == ReaderState::Factory ? "factory" : "provisioned")
      .set("firmware_version", facts.firmware_version);
  if (facts.state == ReaderState::Provisioned) {
    json.set("certificate_serial", facts.certificate_serial).set("initial_key_id", facts.initial_key_id);
  }
  return json.dump();
}

Result<ReaderHello> decode_facts(std::string_view text) {
  const auto json = Json::parse(text);
  ND_TRY(json);
  config::Problem problem;
  ReaderHello facts;
  {
    config::Fields fields(json->view(), "", problem);
    std::string factory_key;
    for (const char* key : {"serial_number", "factory_key", "state", "firmware_version"}) fields.require(key);
    fields.text("serial_number", facts.serial_number, 32);
    if (!config::only(facts.serial_number, config::id_characters)) fields.refuse("serial_number", "is none");
    fields.text("factory_key", factory_key, 130);
    const auto point = from_hex(factory_key);
    if (!is_hex(factory_key) || !point || point->size() != facts.factory_key.size()) {
      fields.refuse("factory_key", "is no point");
    } else {
      std::ranges::copy(*point, facts.factory_key.begin());
    }
    fields.choice<ReaderState>("state", facts.state,
                               {{"factory", ReaderState::Factory}, {"provisioned", ReaderState::Provisioned}});
    fields.text("firmware_version", facts.firmware_version, 32);
    if (facts.state == ReaderState::Provisioned) {
      for (const char* key : {"certificate_serial", "initial_key_id"}) fields.require(key);
      fields.text("certificate_serial", facts.certificate_serial, 40);
      fields.text("initial_key_id", facts.initial_key_id, 16);
      if (!is_hex(facts.certificate_serial)) fields.refuse("certificate_serial", "is not hexadecimal");
      if (!is_hex(facts.initial_key_id) || facts.initial_key_id.size() != 16)
        fields.refuse("initial_key_id", "is none");
    }
  }
  if (problem.found()) return failure(Errc::Malformed, "what the reader says of itself cannot be read");
  return facts;
}

Bytes reader_signs(std::span<const std::uint8_t> station_hello, const SignedHello& reader) {
  return named(" reader\n", transcript({bytes_of(protocol_name), station_hello, signed_part(reader)}));
}

Bytes station_signs(std::span<const std::uint8_t> station_hello, std::span<const std::uint8_t> reader_hello,
                    const Auth& auth) {
  return named(" station\n", transcript({bytes_of(protocol_name), station_hello, reader_hello, signed_part(auth)}));
}

SessionKeys derive_session_keys(std::span<const std::uint8_t, 32> shared, std::span<const std::uint8_t> station_hello,
                                std::span<const std::uint8_t> reader_hello, const Auth& auth) {
  const Digest salt = transcript({bytes_of(protocol_name), station_hello, reader_hello, signed_part(auth)});
  const auto key = [&](std::string_view purpose) {
    const std::string info = std::string(protocol_name).append(purpose);
    return hkdf_sha256(shared, salt, bytes_of(info), 32);
  };
  return SessionKeys{key(" to reader"), key(" to station"), key(" kbpk")};
}

}  // namespace nightdrop::provisioning

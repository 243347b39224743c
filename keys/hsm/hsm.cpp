// The operator's keys in use. What the HSM can do by itself it does; a key block is made here, because PKCS#11 has no
// mechanism for one, from bytes that are carried out under a key of one call's life and wiped when the block stands.
#include "keys/hsm/hsm.hpp"

#include <algorithm>
#include <array>

#include "crypto/primitives.hpp"
#include "keys/hsm/key_wrap.hpp"
#include "keys/prompt/prompt.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::keys {
namespace {

constexpr std::size_t check_value_size = 5;
constexpr std::size_t pin_max = 255;

std::unexpected<Refusal> refuse_key(std::string_view name, const Error& error) {
  const std::string key(name);
  if (error.code == Errc::NotFound) return refuse(Exit::Data, "the HSM has no key " + key);
  if (error.code == Errc::Unsupported) return refuse(Exit::Data, key + ": this key does not leave the HSM");
  return refuse((key + ", in the HSM").c_str(), error);
}

std::unexpected<Refusal> refuse_token(const HsmSettings& settings, const Error& error) {
  const std::string token = "the HSM's token '" + settings.where.token_label + "'";
  if (error.code == Errc::NotFound) return refuse(Exit::Config, "hsm.json: the module has no such token: " + token);
  if (error.code == Errc::WrongKey) return refuse(Exit::Data, token + " does not take this PIN");
  if (error.code == Errc::Unavailable)
    return refuse(Exit::Data, token + ": its PIN is locked after too many wrong ones");
  if (error.code == Errc::Io) return refuse(Exit::NoInput, settings.where.module + ": " + error.text);
  return refuse(token.c_str(), error);
}

P256Point point_of(std::span<const std::uint8_t> bytes) {
  P256Point point{};
  std::copy_n(bytes.begin(), point.size(), point.begin());
  return point;
}

Result<std::vector<std::uint8_t>> sign_der(pkcs11::Token& token, std::string_view name,
                                           std::span<const std::uint8_t> digest) {
  const auto signature = token.sign_digest(name, digest);
  if (!signature) return std::unexpected(signature.error());
  P256RawSignature raw{};
  std::copy_n(signature->begin(), raw.size(), raw.begin());
  return p256_signature_to_der(raw);
}

}  // namespace

std::string bdk_name(std::span<const std::uint8_t, 4> bdk_id) {
  return "bdk/" + hex_upper(bdk_id);
}

Outcome<std::unique_ptr<Hsm>> Hsm::open(const HsmSettings& settings) {
  const auto pin = settings.pin_file.empty()
                       ? ask_secret("PIN of the token '" + settings.where.token_label + "': ", pin_max)
                       : read_private_file(settings.pin_file);
  if (!pin) return std::unexpected(pin.error());
  return open(settings, *pin);
}

Outcome<std::unique_ptr<Hsm>> Hsm::open(const HsmSettings& settings, const SecretBytes& pin) {
  if (!settings.softhsm_dir.empty()) {
    const auto used = pkcs11::use_softhsm_folder(settings.softhsm_dir);
    if (!used) return refuse(settings.softhsm_dir.c_str(), used.error());
  }
  auto token = pkcs11::Token::open(settings.where, pin);
  if (!token) return refuse_token(settings, token.error());
  return std::make_unique<Hsm>(std::move(*token));
}

Outcome<std::string> Hsm::check_value(std::string_view name) {
  const std::array<std::uint8_t, 16> zeros{};
  const auto mac = token_->cmac(name, zeros);
  if (!mac) return refuse_key(name, mac.error());
  return hex_upper(std::span(*mac).first(check_value_size));
}

Outcome<KeyType> Hsm::bdk_type(std::string_view bdk_id_hex) {
  const std::string name = "bdk/" + std::string(bdk_id_hex);
  const auto facts = token_->facts(name);
  if (!facts) return refuse_key(name, facts.error());
  if (facts->kind == "aes-128") return KeyType::Aes128;
  if (facts->kind == "aes-256") return KeyType::Aes256;
  return refuse(Exit::Data, name + ": is no AES key of 128 or 256 bits");
}

Outcome<SecretBytes> Hsm::derive_initial_key(const dukpt::InitialKeyId& id) {
  const std::string name = bdk_name(std::span(id).first<4>());
  const auto type = bdk_type(std::string_view(name).substr(4));
  if (!type) return std::unexpected(type.error());
  const auto kind = *type == KeyType::Aes256 ? dukpt::KeyKind::Aes256 : dukpt::KeyKind::Aes128;
  constexpr std::size_t block_size = 16;
  SecretBytes key(dukpt::key_size(kind));
  for (std::size_t block = 0; block * block_size < key.size(); ++block) {
    const auto data =
        dukpt::derivation_data(dukpt::Usage::InitialKey, kind, id, 0, static_cast<std::uint8_t>(block + 1));
    const auto done = token_->encrypt_ecb(name, data, key.writable().subspan(block * block_size, block_size));
    if (!done) return refuse_key(name, done.error());
  }
  return Outcome<SecretBytes>(std::move(key));
}

Outcome<SecretBytes> Hsm::carry_out(std::string_view name) {
  SecretBytes passing(32);
  const auto random = random_bytes(passing.writable());
  if (!random) return refuse("a key to wrap with", random.error());
  const auto wrapped = token_->wrap_out(name, passing.view());
  if (!wrapped) return refuse_key(name, wrapped.error());
  auto key = unwrap_key(passing.view(), *wrapped);
  if (!key) return refuse_key(name, key.error());
  return Outcome<SecretBytes>(std::move(*key));
}

Outcome<std::string> Hsm::export_block(std::string_view name, const tr31::Header& header,
                                       std::span<const std::uint8_t> kbpk) {
  const auto key = carry_out(name);
  if (!key) return std::unexpected(key.error());
  if (kbpk.size() < key->size()) {
    return refuse(Exit::Data, std::string(name) + ": the key block protection key is shorter than this key");
  }
  auto block = tr31::wrap(kbpk, header, key->view());
  if (!block) return refuse((std::string(name) + ", as a key block").c_str(), block.error());
  return *block;
}

Outcome<std::string> Hsm::export_block_under(std::string_view name, const tr31::Header& header,
                                             std::string_view kbpk_name) {
  const auto kbpk = carry_out("kbpk/" + std::string(kbpk_name));
  if (!kbpk) return std::unexpected(kbpk.error());
  return export_block(name, header, kbpk->view());
}

Outcome<tr31::KeyBlock> Hsm::open_block(std::string_view key_block, std::string_view kbpk_name,
                                        const std::vector<std::string_view>& expect) {
  const auto kbpk = carry_out("kbpk/" + std::string(kbpk_name));
  if (!kbpk) return std::unexpected(kbpk.error());
  auto opened = tr31::unwrap(kbpk->view(), key_block, expect);
  if (!opened) return refuse(Exit::Data, std::string("the key block: ") + opened.error().text);
  return Outcome<tr31::KeyBlock>(std::move(*opened));
}

Outcome<std::vector<std::uint8_t>> Hsm::sign(std::string_view name, std::span<const std::uint8_t> message) {
  auto signature = sign_der(*token_, name, sha256(message));
  if (!signature) return refuse_key(name, signature.error());
  return *signature;
}

Outcome<P256Point> Hsm::public_key(std::string_view name) {
  const auto bytes = token_->public_key(name);
  if (!bytes) return refuse_key(name, bytes.error());
  return point_of(*bytes);
}

Outcome<x509::Signer> Hsm::signer(std::string_view name) {
  const auto key = public_key(name);
  if (!key) return std::unexpected(key.error());
  x509::Signer signer;
  signer.public_key = *key;
  signer.sign = [token = token_.get(), key_name = std::string(name)](std::span<const std::uint8_t> digest) {
    return sign_der(*token, key_name, digest);
  };
  return signer;
}

}  // namespace nightdrop::keys

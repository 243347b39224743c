#include "crypto/envelope.hpp"

#include <utility>

#include "crypto/pin_block.hpp"
#include "crypto/primitives.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop {
namespace {

// PIN and data keys of one envelope are of one kind.
Result<dukpt::KeyKind> key_kind(KeyType type) {
  switch (type) {
    case KeyType::Aes128: return dukpt::KeyKind::Aes128;
    case KeyType::Aes256: return dukpt::KeyKind::Aes256;
    case KeyType::Aes192: break;
  }
  return failure(Errc::InvalidArgument, "an envelope's key is AES-128 or AES-256");
}

Result<SecretBytes> host_key(std::span<const std::uint8_t> bdk, const Envelope& envelope, dukpt::Usage usage) {
  ND_TRY(dukpt::parse_ksn(envelope.ksn));
  const auto kind = key_kind(envelope.key_type);
  ND_TRY(kind);
  const auto initial_key = dukpt::derive_initial_key(bdk, dukpt::initial_key_id(envelope.ksn));
  ND_TRY(initial_key);
  return dukpt::derive_working_key(initial_key->view(), envelope.ksn, usage, *kind);
}

}  // namespace

std::string envelope_aad(const EnvelopeBinding& binding) {
  std::string aad = "nightdrop/1\n";
  aad += binding.id;
  aad += '\n';
  aad += word(binding.kind);
  aad += '\n';
  aad += std::to_string(binding.card_amount);
  aad += '\n';
  aad += binding.currency.view();
  aad += '\n';
  aad += binding.terminal_id;
  return aad;
}

KeyType envelope_key_type(std::size_t device_key_bytes) {
  return device_key_bytes == 32 ? KeyType::Aes256 : KeyType::Aes128;
}

Result<Envelope> seal_envelope(const dukpt::DukptDevice& device, std::span<const std::uint8_t> plaintext,
                               std::string_view aad, std::span<const std::uint8_t> online_pin,
                               std::span<const std::uint8_t> pan) {
  if (device.exhausted()) return failure(Errc::CounterExhausted, "the last transaction key is spent");
  Envelope envelope;
  envelope.ksn = device.ksn();
  envelope.key_type = envelope_key_type(device.key_size());
  const auto kind = key_kind(envelope.key_type);
  ND_TRY(kind);
  const auto data_key = device.working_key(dukpt::Usage::DataEncrypt, *kind);
  ND_TRY(data_key);
  auto sealed = aes_gcm_seal(data_key->view(), envelope.ksn, bytes_of(aad), plaintext);
  ND_TRY(sealed);
  envelope.ciphertext = std::move(*sealed);
  if (!online_pin.empty()) {
    const auto pin_key = device.working_key(dukpt::Usage::PinEncryption, *kind);
    ND_TRY(pin_key);
    const auto block = pin_block::encrypt_format4(pin_key->view(), online_pin, pan);
    ND_TRY(block);
    envelope.pin_block.assign(block->begin(), block->end());
  }
  return envelope;
}

Result<SecretBytes> open_envelope(std::span<const std::uint8_t> bdk, const Envelope& envelope, std::string_view aad) {
  const auto key = host_key(bdk, envelope, dukpt::Usage::DataEncrypt);
  ND_TRY(key);
  return aes_gcm_open(key->view(), envelope.ksn, bytes_of(aad), envelope.ciphertext);
}

Result<SecretBytes> open_envelope_pin(std::span<const std::uint8_t> bdk, const Envelope& envelope,
                                      std::span<const std::uint8_t> pan) {
  if (envelope.pin_block.empty()) return failure(Errc::NotFound, "the envelope has no PIN block");
  const auto key = host_key(bdk, envelope, dukpt::Usage::PinEncryption);
  ND_TRY(key);
  return pin_block::decrypt_format4(key->view(), envelope.pin_block, pan);
}

std::string card_fingerprint(std::span<const std::uint8_t> fingerprint_key, std::span<const std::uint8_t> pan) {
  const Digest mac = hmac_sha256(fingerprint_key, pan);
  return "fp_" + hex_lower(std::span(mac).first<16>());
}

}  // namespace nightdrop

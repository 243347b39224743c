#include "provisioning/channel.hpp"

#include <array>

#include "crypto/primitives.hpp"
#include "provisioning/frames.hpp"

namespace nightdrop::provisioning {
namespace {

using Nonce = std::array<std::uint8_t, gcm_nonce_size>;

Nonce nonce_of(std::uint64_t number) {
  Nonce nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<std::uint8_t>(number >> (56 - 8 * i));
  return nonce;
}

// The frame's type and who sends it.
std::array<std::uint8_t, 6> aad_of(End sender) {
  return {'N',
          'D',
          'P',
          '1',
          static_cast<std::uint8_t>(FrameType::Record),
          static_cast<std::uint8_t>(sender == End::Station ? 'S' : 'R')};
}

End other(End end) {
  return end == End::Station ? End::Reader : End::Station;
}

}  // namespace

Result<std::vector<std::uint8_t>> Channel::seal(std::span<const std::uint8_t> plaintext) {
  if (plaintext.size() > payload_max - gcm_tag_size) {
    return failure(Errc::InvalidArgument, "a message of more than 256 KiB");
  }
  const SecretBytes& key = end_ == End::Station ? keys_.to_reader : keys_.to_station;
  return aes_gcm_seal(key.view(), nonce_of(sent_++), aad_of(end_), plaintext);
}

Result<SecretBytes> Channel::open(std::span<const std::uint8_t> record) {
  const SecretBytes& key = end_ == End::Station ? keys_.to_station : keys_.to_reader;
  auto opened = aes_gcm_open(key.view(), nonce_of(received_), aad_of(other(end_)), record);
  if (opened) ++received_;
  return opened;
}

}  // namespace nightdrop::provisioning

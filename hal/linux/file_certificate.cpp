#include "hal/linux/file_certificate.hpp"

#include <utility>

#include "x509/certificate_file.hpp"

namespace nightdrop::hal {

Result<std::unique_ptr<FileCertificate>> FileCertificate::open(std::string path, const std::string& authority_path,
                                                               KeyVault& vault, Changed changed) {
  auto chain = x509::read_chain_file(path);
  if (!chain) return std::unexpected(chain.error());
  std::unique_ptr<FileCertificate> made(new FileCertificate(std::move(path), vault, std::move(changed)));
  made->current_ = std::move(chain->front());
  auto authority = x509::read_chain_file(authority_path);
  if (!authority && authority.error().code != Errc::NotFound) return std::unexpected(authority.error());
  if (authority) made->authority_ = std::move(authority->front());
  return made;
}

Result<std::vector<std::uint8_t>> FileCertificate::request() {
  auto der = x509::make_request(
      {current_.public_key, [this](std::span<const std::uint8_t> digest) { return vault_.sign_digest(digest); }},
      current_.common_name);
  if (!der) return der;
  // The vault's key signed for the certificate's: if they are two keys, no request helps.
  if (!x509::parse_request(*der)) return failure(Errc::WrongKey, "the certificate is not the identity key's");
  return der;
}

Result<void> FileCertificate::accept(std::string_view chain_pem, UtcMs now) {
  if (!authority_) return failure(Errc::Unsupported, "there is no manufacturing CA to check a certificate by");
  auto chain = x509::parse_chain_pem(chain_pem);
  if (!chain) return std::unexpected(chain.error());
  x509::Certificate& leaf = chain->front();
  if (leaf.public_key != current_.public_key) {
    return failure(Errc::WrongKey, "the new certificate is for another key");
  }
  if (leaf.common_name != current_.common_name) {
    return failure(Errc::WrongKey, "the new certificate is for another name");
  }
  ND_TRY(x509::verify_chain(*chain, *authority_, now, x509::Purpose::Client));
  if (leaf.not_after <= current_.not_after) {
    return failure(Errc::Conflict, "the new certificate is not valid for longer");
  }
  // What was checked is what is written: nothing that stands between the certificates comes along.
  std::string pem;
  for (const x509::Certificate& each : *chain) pem += each.pem();
  ND_TRY(x509::replace_file(path_, pem));
  current_ = std::move(leaf);
  if (changed_) changed_(pem);
  return {};
}

}  // namespace nightdrop::hal

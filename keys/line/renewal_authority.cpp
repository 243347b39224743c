#include "keys/line/renewal_authority.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "keys/command_line.hpp"
#include "keys/files.hpp"
#include "nightdrop/time_text.hpp"
#include "x509/memory_key.hpp"

namespace nightdrop::keys {
namespace {

constexpr UtcMs day_ms = 86'400'000;

Result<x509::Certificate> certify(const Station& station, const x509::MemoryKey& key, int days) {
  auto serial_number = x509::random_serial_number();
  if (!serial_number) return std::unexpected(serial_number.error());
  const x509::Certificate& above = station.authority();
  const UtcMs at = now();
  return x509::issue(station.authority_signer(), above, key.public_key(),
                     {.common_name = "Renewal by " + above.common_name.substr(0, 52),
                      .serial_number = *std::move(serial_number),
                      .not_before = std::max(at - day_ms, above.not_before),
                      .not_after = std::min(at + days * day_ms, above.not_after),
                      .purpose = x509::Purpose::ClientAuthority,
                      .hosts = {}});
}

}  // namespace

Outcome<Made> make_renewal_authority(Station& station, const std::string& acquirer_dir, int days) {
  const std::filesystem::path folder(acquirer_dir);
  const std::filesystem::path file = folder / "renewal.pem";
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) {
    return refuse(Exit::CannotCreate, file.string() + ": is there already; take it and renewal.key away first");
  }
  const auto key = x509::MemoryKey::generate();
  if (!key) return refuse("the renewal authority's key", key.error());
  const auto pem = key->to_pem();
  if (!pem) return refuse("the renewal authority's key", pem.error());
  const auto certificate = certify(station, *key, days);
  if (!certificate) return refuse("the renewal authority's certificate", certificate.error());
  if (auto made = make_folder(folder); !made) return std::unexpected(made.error());
  // The certificate last: it is what says that there is one.
  if (auto written = write_file(folder / "renewal.key", pem->view()); !written) return std::unexpected(written.error());
  for (const auto& [path, text] :
       {std::pair{folder / "manufacturing_ca.pem", station.authority_pem()}, std::pair{file, certificate->pem()}}) {
    if (auto written = write_file(path, text); !written) return std::unexpected(written.error());
  }
  Made made;
  made.text = file.string() + ": renews readers' certificates until " + rfc3339(certificate->not_after) +
              ", certificate " + certificate->serial_number + "\n";
  made.json.set("renewal_authority", file.string())
      .set("certificate", certificate->serial_number)
      .set("not_after", rfc3339(certificate->not_after));
  return made;
}

}  // namespace nightdrop::keys

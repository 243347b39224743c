// A station of the manufacturing line: one folder with its HSM, its database and the public certificates of the key
// ceremony (hsm.json, ca.pem, station.pem, orders.pem, policy_signer.pem). The database's key is random and lies beside
// it sealed by the HSM's transport key, so that a copy of the folder without the HSM says nothing. One process at a
// time. Invariant: the HSM keeps a mark above every derivation number that may have been given out, so that a database
// that was put back from an older copy gives none of them again.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "keys/hsm/hsm.hpp"
#include "keys/line/station_db.hpp"
#include "keys/outcome.hpp"
#include "provisioning/station.hpp"
#include "x509/certificate.hpp"

namespace nightdrop::keys {

class Station {
 public:
  // Errors: NoInput and Config (HSM, certificates: what the ceremony makes), Busy, Data (the database's key),
  // CannotCreate.
  static Outcome<std::unique_ptr<Station>> open(const std::filesystem::path& folder, const DerivationRange& range = {});
  // Lowers the HSM's mark to what was given out.
  ~Station();
  Station(const Station&) = delete;
  Station& operator=(const Station&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  Hsm& hsm() { return *hsm_; }
  StationDb& db() { return *db_; }
  // Whether its keys are development's: SoftHSM2 keeps them in files, whatever they are for.
  bool development() const { return development_; }

  const x509::Certificate& authority() const { return authority_; }
  const x509::Signer& authority_signer() const { return authority_signer_; }
  const std::string& authority_pem() const { return authority_pem_; }
  const std::string& policy_signer_pem() const { return policy_signer_pem_; }
  const provisioning::StationIdentity& identity() const { return identity_; }
  const std::vector<x509::Certificate>& orders_chain() const { return orders_chain_; }
  // The BDK to derive from: `wanted` (8 hex digits), or the only one there is. Errors: Config (none, or several).
  Outcome<std::array<std::uint8_t, 4>> bdk_id(std::string_view wanted);
  // As StationDb's, with the HSM's mark raised first where it is needed. Errors: theirs, Software (the HSM).
  Outcome<Allocation> begin_attempt(std::int64_t unit, std::span<const std::uint8_t, 4> bdk, UtcMs now);
  Outcome<dukpt::InitialKeyId> allocate_rekey(std::int64_t unit, std::span<const std::uint8_t, 4> bdk, UtcMs now);

 private:
  Station(std::filesystem::path folder, std::unique_ptr<Hsm> hsm) : folder_(std::move(folder)), hsm_(std::move(hsm)) {}
  Outcome<SecretBytes> database_key();
  Outcome<void> load_certificates();
  Outcome<void> catch_up_with_mark();
  Outcome<void> raise_mark();
  Outcome<void> write_mark(std::uint32_t mark);

  std::filesystem::path folder_;
  std::unique_ptr<Hsm> hsm_;
  std::unique_ptr<StationDb> db_;
  bool development_{false};
  x509::Certificate authority_;
  x509::Signer authority_signer_;
  std::string authority_pem_;
  std::string policy_signer_pem_;
  provisioning::StationIdentity identity_;
  std::vector<x509::Certificate> orders_chain_;
  std::mutex allocating_;
  std::uint32_t mark_{0};  // the HSM's: no number from here on was given out
};

}  // namespace nightdrop::keys

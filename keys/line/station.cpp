// Opening a station's folder; see station.hpp.
#include "keys/line/station.hpp"

#include <algorithm>
#include <array>
#include <system_error>

#include "crypto/primitives.hpp"
#include "keys/command_line.hpp"
#include "keys/files.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::keys {
namespace {

constexpr std::string_view key_label = "nightdrop-station-key/1";
constexpr std::string_view mark_name = "station/derivation_mark";
constexpr std::string_view transport_key = "transport";
constexpr std::size_t database_key_size = 32;
constexpr std::uint32_t mark_step = 64;  // numbers that one write to the HSM allows

Outcome<std::vector<x509::Certificate>> read_chain(const std::filesystem::path& file) {
  const auto text = read_file(file);
  if (!text) {
    return refuse(text.error().exit,
                  text.error().message + "; nightdrop-provision ceremony init makes a station's folder");
  }
  auto chain = x509::parse_chain_pem(*text);
  if (!chain || chain->empty()) return refuse(Exit::Config, file.string() + ": holds no P-256 certificate");
  return std::move(*chain);
}

}  // namespace

Outcome<std::unique_ptr<Station>> Station::open(const std::filesystem::path& folder, const DerivationRange& range) {
  const auto settings = load_hsm_settings(folder.string());
  if (!settings) return std::unexpected(settings.error());
  auto hsm = Hsm::open(*settings);
  if (!hsm) return std::unexpected(hsm.error());
  std::unique_ptr<Station> self(new Station(folder, std::move(*hsm)));
  self->development_ = !settings->softhsm_dir.empty();
  if (auto loaded = self->load_certificates(); !loaded) return std::unexpected(loaded.error());
  const auto key = self->database_key();
  if (!key) return std::unexpected(key.error());
  auto db = StationDb::open(folder, key->view().first<database_key_size>(), range);
  if (!db) return std::unexpected(db.error());
  self->db_ = std::move(*db);
  if (auto done = self->catch_up_with_mark(); !done) return std::unexpected(done.error());
  return self;
}

Station::~Station() {
  if (db_ == nullptr || mark_ == 0) return;
  if (const auto next = db_->next_derivation(); next && *next < mark_) {
    [[maybe_unused]] const auto lowered = write_mark(*next);  // else some numbers are skipped, which harms nobody
  }
}

Outcome<void> Station::load_certificates() {
  auto authority = read_chain(folder_ / "ca.pem");
  if (!authority) return std::unexpected(authority.error());
  authority_ = std::move(authority->front());
  authority_pem_ = authority_.pem();
  auto policy_signer = read_file(folder_ / "policy_signer.pem");
  if (!policy_signer) return std::unexpected(policy_signer.error());
  policy_signer_pem_ = std::move(*policy_signer);
  auto station = read_chain(folder_ / "station.pem");
  if (!station) return std::unexpected(station.error());
  identity_.chain = std::move(*station);
  auto orders = read_chain(folder_ / "orders.pem");
  if (!orders) return std::unexpected(orders.error());
  orders_chain_ = std::move(*orders);
  auto issues = hsm_->signer("ca");
  if (!issues) return std::unexpected(issues.error());
  authority_signer_ = std::move(*issues);
  if (authority_signer_.public_key != authority_.public_key) {
    return refuse(Exit::Config, (folder_ / "ca.pem").string() + ": is not for the CA key in the HSM");
  }
  auto signs = hsm_->signer("station");
  if (!signs) return std::unexpected(signs.error());
  identity_.signer = std::move(*signs);
  if (identity_.signer.public_key != identity_.chain.front().public_key) {
    return refuse(Exit::Config, (folder_ / "station.pem").string() + ": is not for the station key in the HSM");
  }
  return {};
}

// The key is sealed before the first byte is written under it; without the sealed key a database is worth nothing, so a
// missing one beside a database is an error and never made anew.
Outcome<SecretBytes> Station::database_key() {
  const std::filesystem::path file = folder_ / "station.key";
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) {
    const auto sealed = read_file(file);
    if (!sealed) return std::unexpected(sealed.error());
    const auto bytes = bytes_of(*sealed);
    if (bytes.size() != gcm_nonce_size + database_key_size + gcm_tag_size)
      return refuse(Exit::Data, file.string() + ": is damaged");
    auto key = hsm_->token().open_sealed(transport_key, bytes.first(gcm_nonce_size), bytes_of(key_label),
                                         bytes.subspan(gcm_nonce_size));
    if (!key || key->size() != database_key_size) {
      return refuse(Exit::Data, file.string() + ": was sealed by another HSM's transport key, or is damaged");
    }
    return Outcome<SecretBytes>(std::move(*key));
  }
  if (std::filesystem::exists(folder_ / "station.db", ignored)) {
    return refuse(Exit::Data,
                  file.string() + ": is gone, and the station's database opens with it alone; put it back from a copy");
  }
  SecretBytes key(database_key_size);
  std::vector<std::uint8_t> text(gcm_nonce_size);
  if (const auto filled = random_bytes(key.writable()); !filled)
    return refuse("the station's database key", filled.error());
  if (const auto filled = random_bytes(text); !filled) return refuse("the station's database key", filled.error());
  const auto sealed = hsm_->token().seal(transport_key, text, bytes_of(key_label), key.view());
  if (!sealed) return refuse("the HSM's transport key", sealed.error());
  text.insert(text.end(), sealed->begin(), sealed->end());
  if (auto written = write_file(file, text); !written) return std::unexpected(written.error());
  return Outcome<SecretBytes>(std::move(key));
}

Outcome<std::array<std::uint8_t, 4>> Station::bdk_id(std::string_view wanted) {
  const auto all = hsm_->token().list();
  if (!all) return refuse("the HSM's keys", all.error());
  const auto given = from_hex(wanted);
  std::string found = given ? hex_upper(*given) : std::string(wanted);
  bool is_there = false;
  for (const auto& key : *all) {
    if (!key.label.starts_with("bdk/")) continue;
    const std::string id = key.label.substr(4);
    if (wanted.empty() && !found.empty()) {
      return refuse(Exit::Config, "the HSM holds several BDKs; --bdk-id says which one");
    }
    if (wanted.empty()) found = id;
    is_there = is_there || id == found;
  }
  std::array<std::uint8_t, 4> id{};
  const auto bytes = from_hex(found);
  if (!is_there || !bytes || bytes->size() != id.size()) {
    return refuse(Exit::Config, wanted.empty() ? "the HSM holds no BDK" : "--bdk-id: the HSM holds no BDK of that ID");
  }
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return id;
}

Outcome<Allocation> Station::begin_attempt(std::int64_t unit, std::span<const std::uint8_t, 4> bdk, UtcMs now) {
  const std::scoped_lock alone(allocating_);
  if (auto raised = raise_mark(); !raised) return std::unexpected(raised.error());
  return db_->begin_attempt(unit, bdk, now);
}

Outcome<dukpt::InitialKeyId> Station::allocate_rekey(std::int64_t unit, std::span<const std::uint8_t, 4> bdk,
                                                     UtcMs now) {
  const std::scoped_lock alone(allocating_);
  if (auto raised = raise_mark(); !raised) return std::unexpected(raised.error());
  return db_->allocate_rekey(unit, bdk, now);
}

// A database that is behind the mark was put back from an older copy, or its process was killed: either way the numbers
// between may be out.
Outcome<void> Station::catch_up_with_mark() {
  const auto bytes = hsm_->token().read_value(mark_name);
  if (!bytes && bytes.error().code != Errc::NotFound) return refuse("the HSM's derivation mark", bytes.error());
  if (!bytes) return {};
  if (bytes->size() != 4) return refuse(Exit::Data, "the HSM's derivation mark is damaged");
  for (const std::uint8_t byte : *bytes) mark_ = mark_ << 8 | byte;
  const auto next = db_->next_derivation();
  if (!next) return std::unexpected(next.error());
  if (*next >= mark_) return {};
  return db_->skip_derivations_to(mark_, now());
}

Outcome<void> Station::raise_mark() {
  const auto next = db_->next_derivation();
  if (!next) return std::unexpected(next.error());
  if (*next < mark_) return {};
  return write_mark(*next + mark_step);
}

Outcome<void> Station::write_mark(std::uint32_t mark) {
  std::array<std::uint8_t, 4> bytes{};
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<std::uint8_t>(mark >> (24 - 8 * i));
  if (const auto written = hsm_->token().write_value(mark_name, bytes); !written) {
    return refuse("the HSM's derivation mark", written.error());
  }
  mark_ = mark;
  return {};
}

}  // namespace nightdrop::keys

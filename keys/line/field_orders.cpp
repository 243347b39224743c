// What a station issues for readers that are out in the field: revocations, erase orders, new initial keys. Each is
// recorded before the file that carries it is written. See inventory.hpp.
#include <algorithm>
#include <array>

#include "crypto/dukpt.hpp"
#include "crypto/primitives.hpp"
#include "crypto/tr31.hpp"
#include "keys/command_line.hpp"
#include "keys/files.hpp"
#include "keys/line/inventory.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/time_text.hpp"
#include "provisioning/erase_order.hpp"

namespace nightdrop::keys {
namespace {

constexpr UtcMs day_ms = 86'400'000;
constexpr UtcMs revocation_list_days = 30;
constexpr std::size_t reason_max = 64;

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

// The key that only the reader with this initial key can derive, of which the counter FFFFFFFF is no transaction's.
Outcome<SecretBytes> update_key_of(Station& station, const dukpt::InitialKeyId& id) {
  const auto initial_key = station.hsm().derive_initial_key(id);
  if (!initial_key) return std::unexpected(initial_key.error());
  const auto kind = dukpt::aes_kind(initial_key->size());
  if (!kind) return refuse("the update key", kind.error());
  auto key = dukpt::derive_working_key(initial_key->view(), dukpt::make_ksn(id, dukpt::update_key_counter),
                                       dukpt::Usage::KeyEncryption, *kind);
  if (!key) return refuse("the update key", key.error());
  return Outcome<SecretBytes>(std::move(*key));
}

// The initial key that the reader has now.
Outcome<std::string> present_initial_key(Station& station, const Unit& unit, const std::string& given) {
  const auto pending = station.db().pending_rekeys(unit.unit);
  if (!pending) return std::unexpected(pending.error());
  if (given.empty()) {
    if (pending->empty()) return unit.initial_key_id;
    return refuse(Exit::Data,
                  unit.order.serial_number +
                      ": an earlier new key may or may not be in force; verify asks the reader, or --present "
                      "says which one it has");
  }
  const auto id = parse_initial_key_id(given);
  if (!id) return refuse(Exit::Usage, "--present is an initial key ID, 16 hex digits");
  const std::string text = initial_key_id_text(*id);
  if (text != unit.initial_key_id && std::ranges::find(*pending, text) == pending->end()) {
    return refuse(Exit::Data, unit.order.serial_number + ": this initial key was never given to it");
  }
  return text;
}

}  // namespace

Outcome<Made> revoke_unit(Station& station, const std::string& serial_number, const std::string& reason,
                          const std::string& acquirer_dir) {
  Made made;
  if (!serial_number.empty()) {
    if (reason.empty() || reason.size() > reason_max || !is_printable(reason)) {
      return refuse(Exit::Usage, "--reason has 1 to 64 printable characters");
    }
    const auto unit = known_unit(station, serial_number);
    if (!unit) return std::unexpected(unit.error());
    if (auto done = station.db().revoke(unit->unit, reason, now()); !done) return std::unexpected(done.error());
    made.text = serial_number + ": certificate " + unit->certificate + " is revoked\n";
    made.json.set("serial_number", serial_number).set("certificate", unit->certificate);
  }
  const UtcMs at = now();
  const auto list = station.db().next_revocation_list(at);
  if (!list) return std::unexpected(list.error());
  std::vector<x509::Revoked> revoked;
  for (const auto& each : list->revoked) revoked.push_back({each.serial_number, each.at});
  const auto pem = x509::make_revocation_list(station.authority_signer(), station.authority(), list->number, at,
                                              at + revocation_list_days * day_ms, revoked);
  if (!pem) return refuse("the revocation list", pem.error());
  std::vector<std::filesystem::path> files{station.folder() / "revoked.pem"};
  if (!acquirer_dir.empty()) files.push_back(std::filesystem::path(acquirer_dir) / "revoked.pem");
  for (const auto& file : files) {
    if (auto written = write_file(file, *pem); !written) return std::unexpected(written.error());
    made.text += file.string() + ": list " + std::to_string(list->number) + ", " + std::to_string(revoked.size()) +
                 (list->revoked.size() == 1 ? " certificate\n" : " certificates\n");
  }
  made.json.set("number", list->number)
      .set("revoked", static_cast<std::int64_t>(revoked.size()))
      .set("revocation_list", files.front().string());
  return made;
}

Outcome<Made> make_erase_order_file(Station& station, const std::string& serial_number, const std::string& certificate,
                                    const std::string& out, int days) {
  const auto unit = known_unit(station, serial_number);
  if (!unit) return std::unexpected(unit.error());
  if (unit->state != UnitState::Provisioned) return refuse(Exit::Data, serial_number + ": is not provisioned");
  std::array<std::uint8_t, 16> nonce{};
  if (const auto filled = random_bytes(nonce); !filled) return refuse("the order's nonce", filled.error());
  const auto signer = station.hsm().signer("orders");
  if (!signer) return std::unexpected(signer.error());
  const UtcMs at = now();
  const std::string named = certificate.empty() ? unit->certificate : certificate;
  const provisioning::EraseOrder order{serial_number, named, at + days * day_ms, hex_lower(nonce)};
  const auto text = provisioning::make_erase_order(order, station.orders_chain(), *signer);
  if (!text) return refuse("the erase order", text.error());
  if (auto kept = station.db().erase_ordered(unit->unit, order.nonce, unit->certificate, order.valid_until, at);
      !kept) {
    return std::unexpected(kept.error());
  }
  if (auto written = write_file(out, *text); !written) return std::unexpected(written.error());
  Made made;
  made.text = out + ": erases " + serial_number + " until " + rfc3339(order.valid_until) + "\n";
  made.json.set("order", out)
      .set("serial_number", serial_number)
      .set("certificate", named)
      .set("valid_until", rfc3339(order.valid_until));
  return made;
}

Outcome<Made> make_rekey_file(Station& station, const std::string& serial_number, const std::string& present,
                              const std::string& bdk_id, const std::string& out) {
  const auto unit = known_unit(station, serial_number);
  if (!unit) return std::unexpected(unit.error());
  if (unit->state != UnitState::Provisioned) return refuse(Exit::Data, serial_number + ": is not provisioned");
  const auto has = present_initial_key(station, *unit, present);
  if (!has) return std::unexpected(has.error());
  const auto has_id = parse_initial_key_id(*has);
  if (!has_id) return refuse("the present initial key", has_id.error());
  const auto update_key = update_key_of(station, *has_id);
  if (!update_key) return std::unexpected(update_key.error());
  const auto bdk = station.bdk_id(bdk_id.empty() ? hex_upper(std::span(*has_id).first<4>()) : bdk_id);
  if (!bdk) return std::unexpected(bdk.error());
  const auto fresh = station.allocate_rekey(unit->unit, *bdk, now());
  if (!fresh) return std::unexpected(fresh.error());
  const auto key = station.hsm().derive_initial_key(*fresh);
  if (!key) return std::unexpected(key.error());
  const auto header = tr31::make_initial_key_header(*fresh, key->view());
  if (!header) return refuse("the new key's block", header.error());
  const auto block = tr31::wrap(update_key->view(), *header, key->view());
  if (!block) return refuse("the new key's block", block.error());
  const auto check_value = tr31::check_value_cmac(key->view());
  if (!check_value) return refuse("the new key's check value", check_value.error());
  if (auto kept = station.db().rekey_sent(*fresh, hex_upper(*check_value), now()); !kept)
    return std::unexpected(kept.error());
  if (auto written = write_file(out, *block + "\n"); !written) return std::unexpected(written.error());
  Made made;
  made.text = out + ": initial key " + initial_key_id_text(*fresh) + " for " + serial_number + ", check value " +
              hex_upper(*check_value) + ", in place of " + *has + "\n";
  made.json.set("key_block", out)
      .set("serial_number", serial_number)
      .set("initial_key_id", initial_key_id_text(*fresh))
      .set("key_check_value", hex_upper(*check_value))
      .set("present_initial_key_id", *has);
  return made;
}

}  // namespace nightdrop::keys

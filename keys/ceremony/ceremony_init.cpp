// `ceremony init` and `ceremony add-merchant`. The order is that of need: `orders` first, because it signs the
// transcript; certificates last, because they are by keys. A BDK is named by its check value, so it is made as bdk/new
// and renamed.
#include <algorithm>
#include <functional>

#include "keys/ceremony/room.hpp"
#include "keys/files.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/time_text.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::keys {
namespace {

constexpr UtcMs day_ms = 86'400'000;
constexpr UtcMs authority_days = 20 * 365;
constexpr UtcMs leaf_days = 5 * 365;
constexpr const char* finished = "ceremony finished";
const std::string new_bdk = "bdk/new";

Outcome<void> ensure_key(Room& room, const std::string& name, std::size_t aes_bytes) {
  if (!room.token().has(name)) {
    const auto made = aes_bytes == 0 ? room.token().generate_p256(template_of(name))
                                     : room.token().generate_aes(aes_bytes, template_of(name));
    if (!made) return refuse((name + ", in the HSM").c_str(), made.error());
    room.at("made " + name);
  }
  return room.write_down_key(name);
}

// The BDKs that are there, but for one that has no name yet.
Outcome<std::vector<pkcs11::KeyFacts>> bdks(Room& room) {
  auto all = room.token().list();
  if (!all) return refuse("the HSM's keys", all.error());
  std::erase_if(*all, [](const auto& key) { return !key.label.starts_with("bdk/") || key.label == new_bdk; });
  return *all;
}

Outcome<void> ensure_bdk(Room& room, const std::string& key_type) {
  const auto there = bdks(room);
  if (!there) return std::unexpected(there.error());
  if (!there->empty()) {
    for (const auto& key : *there) {
      if (key.local && key.kind != key_type) {
        return refuse(Exit::Data, key.label + ": is there and is " + key.kind + ", not " + key_type);
      }
      if (auto written = room.write_down_key(key.label); !written) return written;
    }
    return {};
  }
  if (room.token().has(new_bdk)) {
    const auto facts = room.token().facts(new_bdk);  // of a run that was cut off
    if (!facts || facts->kind != key_type) {
      const auto gone = room.token().destroy(new_bdk);
      if (!gone) return refuse(new_bdk.c_str(), gone.error());
    }
  }
  if (!room.token().has(new_bdk)) {
    const auto made = room.token().generate_aes(key_type == "aes-256" ? 32 : 16, template_of(new_bdk));
    if (!made) return refuse("the BDK, in the HSM", made.error());
    room.at("made " + new_bdk);
  }
  const auto value = room.hsm().check_value(new_bdk);
  if (!value) return std::unexpected(value.error());
  const std::string name = "bdk/" + value->substr(0, 8);
  const auto renamed = room.token().rename_aes(new_bdk, name);
  if (!renamed) return refuse((name + ", in the HSM").c_str(), renamed.error());
  room.at("made " + name);
  return room.write_down_key(name);
}

Outcome<void> write_down_file(Room& room, const std::string& file,
                              std::vector<std::pair<std::string, std::string>> lines) {
  if (room.transcript().has("file", file)) return {};
  lines.insert(lines.begin(), {"file", file});
  return room.write_down({"file written", std::move(lines)});
}

Outcome<x509::Certificate> read_certificate(const std::filesystem::path& file, const P256Point& key) {
  const auto text = read_file(file);
  if (!text) return std::unexpected(text.error());
  auto certificate = x509::parse_certificate_pem(*text);
  if (!certificate) return refuse(Exit::Data, file.string() + ": " + certificate.error().text);
  if (certificate->public_key != key) return refuse(Exit::Data, file.string() + ": is of another key than the HSM's");
  return *certificate;
}

// The certificate `file` of the key `name`: read, or made by `make` and written.
Outcome<x509::Certificate> ensure_certificate(
    Room& room, const std::string& file, const std::string& name,
    const std::function<Result<x509::Certificate>(const x509::PublicKey&)>& make) {
  const auto key = room.hsm().public_key(name);
  if (!key) return std::unexpected(key.error());
  const auto path = room.folder() / file;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    const auto made = make(*key);
    if (!made) return refuse((file + ", the certificate").c_str(), made.error());
    if (auto written = write_file(path, made->pem()); !written) return std::unexpected(written.error());
    room.at("written " + file);
  }
  auto certificate = read_certificate(path, *key);
  if (!certificate) return certificate;
  auto noted = write_down_file(room, file,
                               {{"certificate of", name},
                                {"name", certificate->common_name},
                                {"issued by", certificate->issuer_name},
                                {"serial number", certificate->serial_number},
                                {"SHA-256", fingerprint_of(certificate->der)}});
  if (!noted) return std::unexpected(noted.error());
  return certificate;
}

Outcome<x509::IssueOptions> certificate_options(Room& room, const std::string& name, UtcMs days,
                                                x509::Purpose purpose) {
  auto number = x509::random_serial_number();
  if (!number) return refuse("a serial number", number.error());
  x509::IssueOptions options;
  options.common_name = name;
  options.serial_number = *number;
  options.not_before = room.now() - day_ms;  // a factory's clocks differ
  options.not_after = room.now() + days * day_ms;
  options.purpose = purpose;
  return options;
}

x509::Purpose purpose_of(std::string_view key) {
  return key == "orders" ? x509::Purpose::Orders : x509::Purpose::Station;
}

Outcome<void> ensure_certificates(Room& room, const CeremonyInitOptions& options) {
  const auto signer = room.hsm().signer("ca");
  if (!signer) return std::unexpected(signer.error());
  const auto root = certificate_options(room, options.authority_name, authority_days, x509::Purpose::Authority);
  if (!root) return std::unexpected(root.error());
  const auto authority =
      ensure_certificate(room, "ca.pem", "ca", [&](const auto&) { return x509::make_authority(*signer, *root); });
  if (!authority) return std::unexpected(authority.error());
  for (const std::string key : {"station", "orders"}) {
    const std::string common_name = options.station_name + (key == "orders" ? " orders" : "");
    const auto leaf = certificate_options(room, common_name, leaf_days, purpose_of(key));
    if (!leaf) return std::unexpected(leaf.error());
    const auto made = ensure_certificate(room, key + ".pem", key, [&](const x509::PublicKey& subject) {
      return x509::issue(*signer, *authority, subject, *leaf);
    });
    if (!made) return std::unexpected(made.error());
  }
  return {};
}

Outcome<void> ensure_policy_signer(Room& room) {
  const auto key = room.hsm().public_key("policy");
  if (!key) return std::unexpected(key.error());
  const std::string pem = p256_to_spki_pem(*key);
  const std::string file = "policy_signer.pem";
  std::error_code ignored;
  if (!std::filesystem::exists(room.folder() / file, ignored)) {
    if (auto written = write_file(room.folder() / file, pem); !written) return written;
    room.at("written " + file);
  }
  const auto there = read_file(room.folder() / file);
  if (!there) return std::unexpected(there.error());
  if (*there != pem) return refuse(Exit::Data, file + ": is of another key than the HSM's");
  return write_down_file(room, file,
                         {{"public key of", "policy"}, {"SHA-256", fingerprint_of(p256_to_spki_der(*key))}});
}

Outcome<void> make_all(Room& room, const CeremonyInitOptions& options) {
  if (auto made = ensure_key(room, "orders", 0); !made) return made;
  if (auto made = ensure_key(room, "transport", 32); !made) return made;
  if (auto made = ensure_bdk(room, options.key_type); !made) return made;
  for (const char* name : {"policy", "ca", "station"}) {
    if (auto made = ensure_key(room, name, 0); !made) return made;
  }
  for (const std::string& merchant : options.merchants) {
    if (auto made = ensure_key(room, "fingerprint/" + merchant, 32); !made) return made;
  }
  if (auto made = ensure_certificates(room, options); !made) return made;
  if (auto made = ensure_policy_signer(room); !made) return made;
  return room.write_down({finished, {{"HSM", room.token().description()}}});
}

Outcome<void> check_merchants(const std::vector<std::string>& merchants) {
  for (const std::string& merchant : merchants) {
    if (!is_name(merchant)) {
      return refuse(Exit::Usage, "--merchant: 1 to 64 letters, digits, underscores, points and hyphens");
    }
  }
  return {};
}

}  // namespace

Outcome<Made> ceremony_init(const CeremonyContext& context, const CeremonyInitOptions& options) {
  const auto type = from_word<KeyType>(options.key_type);
  if (!type || *type == KeyType::Aes192) return refuse(Exit::Usage, "--key-type is aes-128 or aes-256");
  if (auto good = check_merchants(options.merchants); !good) return std::unexpected(good.error());
  auto room = Room::enter(context);
  if (!room) return std::unexpected(room.error());
  if (room->transcript().has_step(finished)) {
    return refuse(Exit::CannotCreate,
                  "conflict: this station's ceremony was finished, and it has its keys; `ceremony show` lists them, "
                  "`ceremony add-merchant` and `ceremony import` add to them");
  }
  if (auto made = make_all(*room, options); !made) return std::unexpected(made.error());
  return list_keys(*room);
}

Outcome<Made> ceremony_renew(const CeremonyContext& context) {
  auto room = Room::enter(context);
  if (!room) return std::unexpected(room.error());
  if (!room->transcript().has_step(finished))
    return refuse(Exit::Data, "the ceremony is not finished: `ceremony init`");
  const auto signer = room->hsm().signer("ca");
  if (!signer) return std::unexpected(signer.error());
  const auto authority = read_certificate(room->folder() / "ca.pem", signer->public_key);
  if (!authority) return std::unexpected(authority.error());
  Made made;
  for (const std::string key : {"station", "orders"}) {
    const auto subject = room->hsm().public_key(key);
    if (!subject) return std::unexpected(subject.error());
    const auto before = read_certificate(room->folder() / (key + ".pem"), *subject);
    if (!before) return std::unexpected(before.error());
    const auto options = certificate_options(*room, before->common_name, leaf_days, purpose_of(key));
    if (!options) return std::unexpected(options.error());
    const auto after = x509::issue(*signer, *authority, *subject, *options);
    if (!after) return refuse((key + ".pem, the certificate").c_str(), after.error());
    const auto written = room->write_down({"certificate renewed",
                                           {{"certificate of", key},
                                            {"name", after->common_name},
                                            {"serial number", after->serial_number},
                                            {"SHA-256", fingerprint_of(after->der)},
                                            {"in place of", before->serial_number}}});
    if (!written) return std::unexpected(written.error());
    if (auto file = write_file(room->folder() / (key + ".pem"), after->pem()); !file)
      return std::unexpected(file.error());
    room->at("written " + key + ".pem");
    made.text += key + ".pem: until " + rfc3339(after->not_after).substr(0, 10) + ", SHA-256 " +
                 fingerprint_of(after->der) + "\n";
    made.json.set(key, fingerprint_of(after->der));
  }
  return Outcome<Made>(std::move(made));
}

Outcome<Made> ceremony_add_merchant(const CeremonyContext& context, const std::string& merchant) {
  if (auto good = check_merchants({merchant}); !good) return std::unexpected(good.error());
  auto room = Room::enter(context);
  if (!room) return std::unexpected(room.error());
  const std::string name = "fingerprint/" + merchant;
  if (room->transcript().has("key", name))
    return refuse(Exit::CannotCreate, "conflict: the HSM has " + name + " already");
  if (auto made = ensure_key(*room, name, 32); !made) return std::unexpected(made.error());
  const auto value = room->hsm().check_value(name);
  if (!value) return std::unexpected(value.error());
  Made made;
  made.text = name + ", check value " + *value + "\n";
  made.json.set("key", name).set("check_value", *value);
  return Outcome<Made>(std::move(made));
}

}  // namespace nightdrop::keys

// `ceremony export`, `show` and `transcript`. An export is written down before its file is: there is no block outside
// that the transcript does not know.
#include <algorithm>

#include "keys/ceremony/room.hpp"
#include "keys/files.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/time_text.hpp"

namespace nightdrop::keys {
namespace {

constexpr std::string_view hmac_of_sha256 = "21";  // optional block HM

Outcome<tr31::Header> header_for(Room& room, const std::string& name, const std::string& kbpk_check_value) {
  tr31::Header header;
  if (name.starts_with("bdk/")) {
    header.usage = tr31::usage::base_derivation_key;
    header.mode_of_use = 'X';
    const auto value = room.hsm().check_value(name);
    if (!value) return std::unexpected(value.error());
    header.blocks.push_back(tr31::key_check_value_block(*from_hex(*value)));
  } else {
    header.usage = tr31::usage::hmac;
    header.algorithm = 'H';
    header.mode_of_use = 'C';
    header.blocks.push_back({"HM", std::string(hmac_of_sha256)});
  }
  header.blocks.push_back(tr31::protection_check_value_block(*from_hex(kbpk_check_value)));
  header.blocks.push_back(tr31::label_block(name));
  header.blocks.push_back(tr31::time_stamp_block(room.now()));
  return header;
}

Outcome<void> check_options(const CeremonyExportOptions& options) {
  if (!options.key.starts_with("bdk/") && !options.key.starts_with("fingerprint/")) {
    return refuse(Exit::Usage, "--key is bdk/ID or fingerprint/MERCHANT");
  }
  if (!is_name(options.kbpk)) return refuse(Exit::Usage, "--kbpk is NAME of kbpk/NAME");
  std::error_code ignored;
  if (std::filesystem::exists(options.out, ignored)) {
    return refuse(Exit::CannotCreate, "conflict: " + options.out + " is there");
  }
  return {};
}

Outcome<void> forbid_extraction(Room& room, const std::string& name) {
  const auto locked = room.token().lock_extraction(name);
  if (!locked) return refuse((name + ", in the HSM").c_str(), locked.error());
  room.at("locked " + name);
  return room.write_down({"extraction forbidden for ever", {{"of key", name}}});
}

std::string columns(const std::vector<std::string>& cells) {
  constexpr std::size_t widths[] = {24, 9, 10, 12};
  std::string text;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    text += cells[i];
    if (i < std::size(widths)) text.append(std::max(widths[i], cells[i].size() + 1) - cells[i].size(), ' ');
  }
  return text + "\n";
}

}  // namespace

Outcome<Made> ceremony_export(const CeremonyContext& context, const CeremonyExportOptions& options) {
  if (auto good = check_options(options); !good) return std::unexpected(good.error());
  auto room = Room::enter(context);
  if (!room) return std::unexpected(room.error());
  const auto kbpk_check_value = room->hsm().check_value("kbpk/" + options.kbpk);
  if (!kbpk_check_value) return std::unexpected(kbpk_check_value.error());
  const auto value = room->hsm().check_value(options.key);
  if (!value) return std::unexpected(value.error());
  const auto header = header_for(*room, options.key, *kbpk_check_value);
  if (!header) return std::unexpected(header.error());
  const auto block = room->hsm().export_block_under(options.key, *header, options.kbpk);
  if (!block) return std::unexpected(block.error());
  const std::string fingerprint = fingerprint_of(bytes_of(*block));
  const auto written = room->write_down({"key block made, for an acquirer's HSM",
                                         {{"of key", options.key},
                                          {"check value", *value},
                                          {"under", "kbpk/" + options.kbpk},
                                          {"its check value", *kbpk_check_value},
                                          {"key block", fingerprint}}});
  if (!written) return std::unexpected(written.error());
  if (auto out = write_file(options.out, *block + "\n"); !out) return std::unexpected(out.error());
  room->at("written " + options.out);
  if (options.final) {
    if (auto done = forbid_extraction(*room, options.key); !done) return std::unexpected(done.error());
  }
  Made made;
  made.text = options.out + ": " + options.key + ", check value " + *value + ", under kbpk/" + options.kbpk +
              ", check value " + *kbpk_check_value + "\nSHA-256 of the block: " + fingerprint + "\n";
  if (options.final) made.text += options.key + " never leaves the HSM again\n";
  made.json.set("file", options.out).set("key", options.key).set("check_value", *value);
  made.json.set("kbpk", "kbpk/" + options.kbpk).set("kbpk_check_value", *kbpk_check_value);
  made.json.set("sha256", fingerprint).set("final", options.final);
  return Outcome<Made>(std::move(made));
}

Outcome<Made> list_keys(Room& room) {
  const auto all = room.token().list();
  if (!all) return refuse("the HSM's keys", all.error());
  Made made;
  made.text = "HSM: " + room.token().description() + "\n" +
              columns({"key", "kind", "may leave", "made", "check value, or public key's SHA-256"});
  Json keys = Json::array();
  for (const auto& key : *all) {
    const bool is_public = key.kind == "p256";
    const auto lines = room.key_lines(key.label);
    const std::string value = lines ? (*lines)[2].second : "-";  // a key that is not of a ceremony, not for this
    // "in use": while this program makes a block under it. "never": it could not at any time; "not now": it could until
    // that was forbidden.
    const std::string while_it_may = key.label.starts_with("kbpk/") ? "in use" : "in blocks";
    const std::string leaves = key.extractable ? while_it_may : key.never_extractable ? "never" : "not now";
    made.text += columns({key.label, key.kind, leaves, key.local ? "in the HSM" : "brought in", value});
    Json row = Json::object();
    row.set("key", key.label).set("kind", key.kind).set(is_public ? "public_key_sha256" : "check_value", value);
    row.set("extractable", key.extractable).set("never_extractable", key.never_extractable).set("local", key.local);
    keys.push(std::move(row));
  }
  made.json.set("hsm", room.token().description()).set("keys", std::move(keys));
  return Outcome<Made>(std::move(made));
}

Outcome<Made> ceremony_show(const CeremonyContext& context) {
  auto room = Room::enter(context);
  if (!room) return std::unexpected(room.error());
  return list_keys(*room);
}

Outcome<Made> ceremony_transcript(const CeremonyContext& context, bool verify) {
  const std::filesystem::path folder = context.folder;
  const std::filesystem::path file = folder / Transcript::file_name;
  const auto text = read_file(file);
  if (!text) return std::unexpected(text.error());
  Made made;
  if (!verify) {
    made.text = *text;
    made.json.set("transcript", *text);
    return Outcome<Made>(std::move(made));
  }
  const auto entries = check_transcript_chain(*text);
  if (!entries) return std::unexpected(entries.error());
  const auto chain = [&](const char* name) -> Outcome<x509::Certificate> {
    const auto pem = read_file(folder / name);
    if (!pem) return std::unexpected(pem.error());
    auto certificate = x509::parse_certificate_pem(*pem);
    if (!certificate) return refuse(Exit::Data, (folder / name).string() + ": " + certificate.error().text);
    return *certificate;
  };
  const auto orders = chain("orders.pem");
  if (!orders) return std::unexpected(orders.error());
  const auto authority = chain("ca.pem");
  if (!authority) return std::unexpected(authority.error());
  const auto signatures = read_file(file.string() + ".sig");
  if (!signatures) return std::unexpected(signatures.error());
  if (auto good = check_transcript_signature(*text, *signatures, orders->public_key); !good) {
    return std::unexpected(good.error());
  }
  // At the time it was issued: a transcript is read after the certificate's end too.
  const auto issued = x509::verify_chain({*orders}, *authority, orders->not_before, x509::Purpose::Orders);
  if (!issued && issued.error().code == Errc::WrongKey) {
    return refuse(Exit::Data, "orders.pem: is not issued by ca.pem, or not for orders");
  }
  const std::string number = std::to_string(*entries);
  made.text = number + " entries, none changed; signed by " + orders->common_name +
              "\norders.pem, SHA-256: " + fingerprint_of(orders->der) + "\n";
  made.json.set("entries", static_cast<std::int64_t>(*entries)).set("signed_by", orders->common_name);
  made.json.set("signer_sha256", fingerprint_of(orders->der));
  return Outcome<Made>(std::move(made));
}

}  // namespace nightdrop::keys

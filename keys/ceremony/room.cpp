// Uses are given once, when a key is made, and as few as its purpose needs; the HSM holds keys to them.
#include "keys/ceremony/room.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <unistd.h>

#include "crypto/primitives.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::keys {

using pkcs11::KeyUse;

Outcome<std::string> people_of(const CeremonyContext& context) {
  std::string people;
  for (const std::string& name : context.operators) people += (people.empty() ? "" : ", ") + name;
  if (context.operators.empty()) {
    const passwd* login = getpwuid(geteuid());
    people = login != nullptr ? login->pw_name : "user " + std::to_string(geteuid());
  }
  if (!is_printable_text(people)) return refuse(Exit::Usage, "--operator: is empty, too long or not printable");
  return people;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

pkcs11::KeyTemplate template_of(const std::string& name) {
  if (name.starts_with("bdk/")) return {name, {KeyUse::Derive, KeyUse::Authenticate}, true, true};
  // A KBPK leaves for the time that a key block is made; a fingerprint key goes to the readers.
  if (name.starts_with("kbpk/") || name.starts_with("fingerprint/")) return {name, {KeyUse::Authenticate}, true, true};
  if (name == "transport") return {name, {KeyUse::Encrypt, KeyUse::Authenticate}, false, true};
  return {name, {KeyUse::Sign}, false, true};
}

std::string fingerprint_of(std::span<const std::uint8_t> bytes) {
  return hex_lower(sha256(bytes));
}

Outcome<FolderLock> FolderLock::take(const std::filesystem::path& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return refuse(Exit::NoInput, folder.string() + ": " + std::strerror(errno));
  FolderLock lock(descriptor);
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0)
    return refuse(Exit::Busy, folder.string() + ": another ceremony is held here");
  return lock;
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

Room::Room(const CeremonyContext& context, FolderLock lock, std::unique_ptr<Hsm> hsm, Transcript transcript,
           std::string people)
    : lock_(std::move(lock)),
      context_(context),
      folder_(context.folder),
      hsm_(std::move(hsm)),
      transcript_(std::move(transcript)),
      people_(std::move(people)) {}

Outcome<Room> Room::enter(const CeremonyContext& context) {
  if (const auto people = people_of(context); !people) return std::unexpected(people.error());
  const auto settings = load_hsm_settings(context.folder);
  if (!settings) return std::unexpected(settings.error());
  auto lock = FolderLock::take(context.folder);
  if (!lock) return std::unexpected(lock.error());
  auto hsm = Hsm::open(*settings);
  if (!hsm) return std::unexpected(hsm.error());
  return enter(context, std::move(*lock), std::move(*hsm));
}

Outcome<Room> Room::enter(const CeremonyContext& context, FolderLock lock, std::unique_ptr<Hsm> hsm) {
  auto people = people_of(context);
  if (!people) return std::unexpected(people.error());
  auto transcript = Transcript::open(context.folder, *hsm);
  if (!transcript) return std::unexpected(transcript.error());
  return Room(context, std::move(lock), std::move(hsm), std::move(*transcript), std::move(*people));
}

Outcome<void> Room::write_down(const TranscriptEntry& entry) {
  if (auto written = transcript_.append(entry, now(), people_, context_.at); !written) return written;
  at("written down: " + entry.step);
  return {};
}

Outcome<std::vector<std::pair<std::string, std::string>>> Room::key_lines(const std::string& name) {
  const auto facts = token().facts(name);
  if (!facts) return refuse((name + ", in the HSM").c_str(), facts.error());
  std::vector<std::pair<std::string, std::string>> lines{{"key", name}, {"kind", facts->kind}};
  if (facts->kind == "p256") {
    const auto key = hsm_->public_key(name);
    if (!key) return std::unexpected(key.error());
    lines.emplace_back("public key", fingerprint_of(p256_to_spki_der(*key)));
  } else {
    const auto value = hsm_->check_value(name);
    if (!value) return std::unexpected(value.error());
    lines.emplace_back("check value", *value);
  }
  lines.emplace_back("made", facts->local ? "in the HSM" : "outside, brought in");
  const bool protects = name.starts_with("kbpk/");
  lines.emplace_back("may leave", !facts->extractable ? "never"
                                  : protects          ? "for the making of a key block"
                                                      : "in a key block");
  return lines;
}

Outcome<void> Room::write_down_key(const std::string& name) {
  auto lines = key_lines(name);
  if (!lines) return std::unexpected(lines.error());
  // Its value too: a token that was lost and made anew has other keys of the same names.
  if (transcript_.has("key", name) && transcript_.has((*lines)[2].first, (*lines)[2].second)) return {};
  const auto facts = token().facts(name);
  const bool local = facts && facts->local;
  return write_down({local ? "key made in the HSM" : "key found in the HSM, brought in before", std::move(*lines)});
}

}  // namespace nightdrop::keys

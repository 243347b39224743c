// What the commands of a ceremony share: the HSM and the transcript of the station's folder, and how each key is named,
// made and written down.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "keys/ceremony/ceremony.hpp"
#include "keys/ceremony/transcript.hpp"
#include "keys/hsm/hsm.hpp"

namespace nightdrop::keys {

// A folder that no other ceremony works in for as long as this lives.
class FolderLock {
 public:
  // Errors: Busy, NoInput (no folder).
  static Outcome<FolderLock> take(const std::filesystem::path& folder);
  FolderLock(FolderLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

class Room {
 public:
  // Logs in and reads the transcript. Errors: Busy, load_hsm_settings()', Hsm::open()'s, Transcript::open()'s.
  static Outcome<Room> enter(const CeremonyContext& context);
  // As enter(), with an HSM that is logged in to.
  static Outcome<Room> enter(const CeremonyContext& context, FolderLock lock, std::unique_ptr<Hsm> hsm);

  Hsm& hsm() { return *hsm_; }
  pkcs11::Token& token() { return hsm_->token(); }
  const Transcript& transcript() const { return transcript_; }
  const std::filesystem::path& folder() const { return folder_; }
  UtcMs now() const { return context_.clock(); }

  // Tells of a step that is durable.
  void at(const std::string& step) const { context_.at(step); }
  Outcome<void> write_down(const TranscriptEntry& entry);
  // The lines about a key: name, kind, check value or public key's fingerprint, whether it may leave.
  Outcome<std::vector<std::pair<std::string, std::string>>> key_lines(const std::string& name);
  // Writes a key that is in the HSM down, unless an entry names it already.
  Outcome<void> write_down_key(const std::string& name);

 private:
  Room(const CeremonyContext& context, FolderLock lock, std::unique_ptr<Hsm> hsm, Transcript transcript,
       std::string people);

  FolderLock lock_;
  CeremonyContext context_;
  std::filesystem::path folder_;
  std::unique_ptr<Hsm> hsm_;
  Transcript transcript_;
  std::string people_;
};

// The operators' names in one line; the login's name where none was given. Errors: Usage (not printable).
Outcome<std::string> people_of(const CeremonyContext& context);
// The keys in the HSM, for a person and for a program.
Outcome<Made> list_keys(Room& room);
// Whether it can be the part of a key's name behind the slash: 1 to 64 letters, digits, '_', '-', '.'.
bool is_name(std::string_view text);
// What a key of this name is made as: its uses, and whether it may leave the HSM in a key block.
pkcs11::KeyTemplate template_of(const std::string& name);
// SHA-256 in lower-case hex: of a public key's SubjectPublicKeyInfo, of a certificate's DER, of a key block.
std::string fingerprint_of(std::span<const std::uint8_t> bytes);

}  // namespace nightdrop::keys

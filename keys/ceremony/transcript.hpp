// The transcript of a station's key ceremony: plain text to print, one numbered entry a step, with names, check values
// and fingerprints and no secret. Each entry carries the SHA-256 of the one before; the whole is signed by the key
// `orders` after every step; and the HSM keeps the hash of the newest text, so that an older copy is not gone on with.
// A crash at any moment leaves a transcript that still verifies: the signatures of the old text and of the new stand
// side by side while the text is replaced.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keys/hsm/hsm.hpp"
#include "keys/outcome.hpp"
#include "nightdrop/payment.hpp"

namespace nightdrop::keys {

struct TranscriptEntry {
  std::string step;  // "key made in the HSM"
  std::vector<std::pair<std::string, std::string>> fields;
};

class Transcript {
 public:
  static constexpr const char* file_name = "transcript.txt";

  // The transcript of a folder, or an empty one. Checks the chain, the signature by the HSM's `orders` (where that key
  // is there), and that it is the newest that the HSM knows. Errors: Data (it was changed; says where), NoInput.
  static Outcome<Transcript> open(const std::filesystem::path& folder, Hsm& hsm);

  // Adds an entry. Ensures: durable and, where `orders` is there, signed when it returns. `at` is told between its
  // writes. Errors: Usage (a value that cannot be printed on one line), CannotCreate, Software.
  Outcome<void> append(const TranscriptEntry& entry, UtcMs now, const std::string& people,
                       const std::function<void(const std::string&)>& at);

  // Whether an entry has this field with this value.
  bool has(std::string_view field, std::string_view value) const;
  // Whether an entry is about this step.
  bool has_step(std::string_view step) const { return has("step", step); }
  const std::string& text() const { return text_; }

 private:
  Transcript(std::filesystem::path folder, Hsm& hsm, std::string text)
      : folder_(std::move(folder)), hsm_(&hsm), text_(std::move(text)) {}

  std::filesystem::path folder_;
  Hsm* hsm_;
  std::string text_;
};

// How many entries a text has whose chain holds. Errors: Data (which entry was changed).
Outcome<std::size_t> check_transcript_chain(std::string_view text);
// Whether one of the signatures in `signatures` (a line each, base64 DER) is over the text. Errors: Data.
Outcome<void> check_transcript_signature(std::string_view text, std::string_view signatures, const P256Point& orders);

// What can stand in an entry: 1 to 200 characters, none of which ends the line or steers a terminal.
bool is_printable_text(std::string_view text);

}  // namespace nightdrop::keys

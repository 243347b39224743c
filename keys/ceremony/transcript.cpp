// The text is the record; parsing it needs no more than its lines.
#include "keys/ceremony/transcript.hpp"

#include <algorithm>

#include "crypto/primitives.hpp"
#include "keys/files.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/time_text.hpp"

namespace nightdrop::keys {
namespace {

constexpr std::string_view heading =
    "Nightdrop key ceremony: transcript\n"
    "Each entry ends with the SHA-256 of the entry before it, the first with that of this heading.\n"
    "The whole is signed by the key orders, in transcript.txt.sig.\n\n";
constexpr std::string_view entry_mark = "--- ";
constexpr std::string_view head_name = "transcript";  // the value in the HSM
constexpr std::size_t name_width = 18;

std::string hash_of(std::string_view text) {
  return hex_lower(sha256(bytes_of(text)));
}

std::string line(std::string_view name, std::string_view value) {
  std::string text(name);
  text.resize(std::max(name_width, text.size() + 1), ' ');
  return text.append(value).append("\n");
}

// The value of a line of that name; nothing for another line.
std::string_view value_in(std::string_view text, std::string_view name) {
  if (!text.starts_with(name) || text.size() < name_width) return {};
  const std::size_t at = text.find_first_not_of(' ', name.size());
  return at == std::string_view::npos || at == name.size() ? std::string_view() : text.substr(at);
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

// The entries' texts, each from its mark to the next.
std::vector<std::string_view> entries_of(std::string_view text) {
  std::vector<std::string_view> entries;
  std::size_t from = heading.size();
  while (from < text.size()) {
    const std::size_t next = text.find("\n" + std::string(entry_mark), from);
    const std::size_t to = next == std::string_view::npos ? text.size() : next + 1;
    entries.push_back(text.substr(from, to - from));
    from = to;
  }
  return entries;
}

std::string before_of(std::string_view entry) {
  for (const std::string_view text : lines_of(entry)) {
    if (const auto value = value_in(text, "before"); !value.empty()) return std::string(value);
  }
  return "";
}

std::string mark_of(std::size_t number) {
  return std::string(entry_mark) + std::to_string(number) + " ---";
}

// The hashes of the newest text and the one before it, as the HSM keeps them.
Outcome<void> check_newest(pkcs11::Token& token, std::string_view text) {
  const auto kept = token.read_value(head_name);
  if (!kept && kept.error().code == Errc::NotFound && text == heading) return {};
  if (!kept) return refuse(Exit::Data, std::string(Transcript::file_name) + ": the HSM does not know this transcript");
  const auto hash = sha256(bytes_of(text));
  for (std::size_t at = 0; at + hash.size() <= kept->size(); at += hash.size()) {
    if (std::ranges::equal(std::span(*kept).subspan(at, hash.size()), hash)) return {};
  }
  return refuse(Exit::Data, std::string(Transcript::file_name) +
                                ": is not the newest that the HSM knows: put the newest copy of it back");
}

Outcome<void> keep_newest(pkcs11::Token& token, std::string_view before, std::string_view after) {
  std::vector<std::uint8_t> hashes;
  for (const std::string_view text : {after, before}) {
    const auto hash = sha256(bytes_of(text));
    hashes.insert(hashes.end(), hash.begin(), hash.end());
  }
  const auto written = token.write_value(head_name, hashes);
  if (!written) return refuse("the transcript's hash in the HSM", written.error());
  return {};
}

}  // namespace

bool is_printable_text(std::string_view text) {
  return !text.empty() && text.size() <= 200 &&
         std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

Outcome<std::size_t> check_transcript_chain(std::string_view text) {
  const auto changed = [](const std::string& what) {
    return refuse(Exit::Data, std::string(Transcript::file_name) + ": " + what);
  };
  if (!text.starts_with(heading)) return changed("the heading was changed");
  const auto entries = entries_of(text);
  std::string_view previous = heading;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (lines_of(entries[i]).front() != mark_of(i + 1)) {
      return changed("an entry is missing, moved or added where number " + std::to_string(i + 1) + " should be");
    }
    if (before_of(entries[i]) != hash_of(previous)) {
      const std::string blamed = i == 0 ? "the heading" : "entry " + std::to_string(i);
      return changed(blamed + " was changed: entry " + std::to_string(i + 1) + " carries another hash of it");
    }
    previous = entries[i];
  }
  return entries.size();
}

Outcome<void> check_transcript_signature(std::string_view text, std::string_view signatures, const P256Point& orders) {
  for (const std::string_view base64 : lines_of(signatures)) {
    const auto signature = from_base64(base64);
    if (signature && p256_verify(orders, bytes_of(text), *signature)) return {};
  }
  return refuse(Exit::Data,
                std::string(Transcript::file_name) +
                    ": the signature is not of this text: its last entry was changed, entries after it were "
                    "cut off or added, or it was written anew as a whole");
}

Outcome<Transcript> Transcript::open(const std::filesystem::path& folder, Hsm& hsm) {
  std::error_code ignored;
  std::string text(heading);
  if (std::filesystem::exists(folder / file_name, ignored)) {
    auto read = read_file(folder / file_name);
    if (!read) return std::unexpected(read.error());
    text = std::move(*read);
  }
  if (const auto chain = check_transcript_chain(text); !chain) return std::unexpected(chain.error());
  if (auto newest = check_newest(hsm.token(), text); !newest) return std::unexpected(newest.error());
  Transcript transcript(folder, hsm, std::move(text));
  if (transcript.has("key", "orders")) {
    const auto signatures = read_file(folder / (std::string(file_name) + ".sig"));
    if (!signatures) return std::unexpected(signatures.error());
    const auto orders = hsm.public_key("orders");
    if (!orders) return std::unexpected(orders.error());
    if (auto good = check_transcript_signature(transcript.text_, *signatures, *orders); !good) {
      return std::unexpected(good.error());
    }
  }
  return transcript;
}

Outcome<void> Transcript::append(const TranscriptEntry& entry, UtcMs now, const std::string& people,
                                 const std::function<void(const std::string&)>& at) {
  const auto entries = entries_of(text_);
  std::string added = mark_of(entries.size() + 1) + "\n" + line("time", rfc3339(now)) + line("step", entry.step);
  if (!people.empty()) added += line("operator", people);
  for (const auto& [name, value] : entry.fields) {
    if (!is_printable_text(value)) return refuse(Exit::Usage, name + ": is empty, too long or not printable");
    added += line(name, value);
  }
  added += line("before", hash_of(entries.empty() ? heading : entries.back())) + "\n";
  const std::string after = text_ + added;
  if (auto kept = keep_newest(hsm_->token(), text_, after); !kept) return kept;
  at("hash of the transcript kept");
  const std::filesystem::path file = folder_ / file_name;
  const std::filesystem::path signature_file = file.string() + ".sig";
  std::string signature;
  if (hsm_->token().has("orders")) {
    const auto signed_text = hsm_->sign("orders", bytes_of(after));
    if (!signed_text) return std::unexpected(signed_text.error());
    signature = to_base64(*signed_text) + "\n";
    const auto old = read_file(signature_file);  // none before the first
    if (auto written = write_file(signature_file, old.value_or("") + signature); !written) return written;
    at("both signatures written");
  }
  if (auto written = write_file(file, after); !written) return written;
  at("transcript written");
  text_ = after;
  return signature.empty() ? Outcome<void>() : write_file(signature_file, signature);
}

bool Transcript::has(std::string_view field, std::string_view value) const {
  return std::ranges::any_of(lines_of(text_), [&](std::string_view text) { return value_in(text, field) == value; });
}

}  // namespace nightdrop::keys

// One JSON object in a file; see accepted_policy.hpp. Plain system calls: a new file beside it, fsync, rename, fsync of
// the folder.
#include "config/accepted_policy.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string_view>

#include "json/json.hpp"
#include "nightdrop/time_text.hpp"

namespace nightdrop {
namespace {

constexpr std::size_t document_max = 1 << 20;
constexpr std::size_t file_max = 4 * document_max;  // the document is escaped in it

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_;
};

std::unexpected<Error> os_failure(const char* text) {
  const int code = errno;
  return failure(code == ENOSPC || code == EDQUOT ? Errc::DiskFull
                 : code == ENOENT                 ? Errc::NotFound
                                                  : Errc::Io,
                 text, code);
}

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

Result<void> write_durably(const std::string& file, std::string_view text) {
  const std::string fresh = file + ".new";
  (void)unlink(fresh.c_str());
  {
    const Descriptor out(open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!out.is_open()) return os_failure("the accepted policy cannot be written");
    if (!write_all(out.number(), text) || fsync(out.number()) != 0) {
      const auto failed = os_failure("the accepted policy cannot be written");
      (void)unlink(fresh.c_str());
      return failed;
    }
  }
  if (std::rename(fresh.c_str(), file.c_str()) != 0) return os_failure("the accepted policy cannot be put in place");
  const std::string folder = std::filesystem::path(file).parent_path().string();
  const Descriptor directory(open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open() || fsync(directory.number()) != 0) return os_failure("the queue's folder cannot be synced");
  return {};
}

Result<std::string> read_up_to(const std::string& file, std::size_t max) {
  const Descriptor in(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in.is_open()) return os_failure("the file cannot be opened");
  std::string text;
  std::array<char, 16'384> piece{};
  while (true) {
    const ssize_t got = read(in.number(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os_failure("the file cannot be read");
    if (got == 0) return text;
    if (text.size() + static_cast<std::size_t>(got) > max) return failure(Errc::Io, "the file is too large");
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
}

std::string text_of(JsonView value) {
  return std::string(value.string().value_or(""));
}

}  // namespace

Result<std::string> read_whole_file(const std::string& file) {
  return read_up_to(file, document_max);
}

Result<AcceptedPolicy> read_accepted_policy(const std::string& file) {
  const auto text = read_up_to(file, file_max);
  if (!text) return std::unexpected(text.error());
  const auto json = Json::parse(*text);
  if (!json || !(*json)["document"].is_string() || !(*json)["signature"].is_string())
    return failure(Errc::Malformed, "the accepted policy is damaged");
  AcceptedPolicy accepted{text_of((*json)["document"]), text_of((*json)["signature"]), text_of((*json)["supersedes"]),
                          text_of((*json)["reader"]), std::nullopt};
  if (const JsonView refused = (*json)["refused"]; refused.is_object())
    accepted.refused =
        PolicyRefusal{parse_rfc3339(text_of(refused["at"])).value_or(0),
                      from_word<PolicyOrigin>(text_of(refused["origin"])).value_or(PolicyOrigin::Configured),
                      text_of(refused["reason"])};
  return accepted;
}

Result<void> write_accepted_policy(const std::string& file, const AcceptedPolicy& accepted) {
  Json json = Json::object();
  json.set("document", accepted.document)
      .set("signature", accepted.signature)
      .set("supersedes", accepted.supersedes)
      .set("reader", accepted.reader);
  if (accepted.refused) {
    json.set("refused", std::move(Json::object()
                                      .set("at", rfc3339(accepted.refused->at))
                                      .set("origin", word(accepted.refused->origin))
                                      .set("reason", accepted.refused->reason)));
  }
  return write_durably(file, json.dump() + "\n");
}

}  // namespace nightdrop

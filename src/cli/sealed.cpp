// `nightdrop export-sealed`: fetches the sealed export page by page, checks that it is whole and signed, puts it on the
// disk durably, and only then tells the reader that it has been received (docs/sealed_export.md).
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cli/audit_chain.hpp"
#include "cli/commands.hpp"
#include "crypto/primitives.hpp"
#include "nightdrop/durable_file.hpp"
#include "nightdrop/encoding.hpp"
#include "report/text.hpp"

namespace nightdrop::cli {
namespace {

namespace fs = std::filesystem;

// Durable when Ok.
std::expected<void, Failure> keep(const std::string& path, std::string_view text) {
  const auto kept = replace_file(fs::absolute(path), text);
  if (kept) return {};
  return std::unexpected(
      Failure{Exit::NoInput, "cannot write " + path + ": " + std::strerror(kept.error().native), {}, {}});
}

// The export's last line says the digest of all before, signed; nothing when that is so, otherwise what is wrong.
std::optional<std::string> fault_of(std::string_view text) {
  const std::size_t cut = text.size() < 2 ? std::string_view::npos : text.rfind('\n', text.size() - 2);
  const auto first = Json::parse(text.substr(0, std::min(text.find('\n'), text.size())));
  if (cut == std::string_view::npos || text.back() != '\n' || !first) return "it is cut off";
  if ((*first)["format"].string() != "nightdrop-sealed/1") return "it is no sealed export";
  const auto last = Json::parse(text.substr(cut + 1));
  const std::string digest = hex_lower(sha256(bytes_of(text.substr(0, cut + 1))));
  if (!last || (*last)["sha256"].string() != digest) return "it is cut off, or was changed";
  const auto certificate = parse_certificate((*first)["certificate"].string().value_or(std::string_view()));
  const auto signature = from_base64((*last)["signature"].string().value_or("?"));
  const std::string message =
      "nightdrop-sealed/1\n" + std::string((*first)["serial_number"].string().value_or("")) + '\n' + digest;
  if (!certificate || !signature || !p256_verify(certificate->key, bytes_of(message), *signature))
    return "its signature does not hold";
  return std::nullopt;
}

struct Fetched {
  std::int64_t id{0};  // 0: from a folder
  std::string text;
};

std::expected<Fetched, Failure> fetch(Session& session) {
  Fetched fetched;
  Json params = Json::object();
  for (;;) {
    const auto page = session.call("export_sealed", params, std::chrono::seconds(120));
    if (!page) return std::unexpected(page.error());
    fetched.id = (*page)["export"].integer().value_or(0);
    const std::string_view text = (*page)["text"].string().value_or(std::string_view());
    fetched.text += text;
    const std::int64_t offset = (*page)["offset"].integer().value_or(0);
    const std::int64_t whole = (*page)["bytes"].integer().value_or(0);
    if (static_cast<std::size_t>(offset) != fetched.text.size() || text.empty())
      return std::unexpected(Failure{Exit::BadAnswer, "the reader's export does not go on", {}, {}});
    session.console.progress("Fetched " + std::to_string(offset / 1024) + " of " + std::to_string(whole / 1024) +
                             " KiB…");
    if (!(*page)["has_more"].boolean().value_or(false)) break;
    params.set("export", fetched.id).set("offset", offset);
  }
  session.console.end_progress();
  return fetched;
}

// The newest of what a tampered reader's daemon wrote before it erased its keys.
std::expected<Fetched, Failure> find(const std::string& folder) {
  std::vector<fs::path> found;
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(folder, problem)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("sealed-export-") && name.ends_with(".ndjson")) found.push_back(entry.path());
  }
  if (problem) return std::unexpected(Failure{Exit::NoInput, "cannot read " + folder, {}, {}});
  if (found.empty()) return std::unexpected(Failure{Exit::NoInput, folder + " holds no sealed export", {}, {}});
  const fs::path newest = *std::ranges::max_element(found);  // the name has the time
  std::ifstream file(newest, std::ios::binary);
  Fetched fetched{0, {std::istreambuf_iterator<char>(file), {}}};
  if (!file) return std::unexpected(Failure{Exit::NoInput, "cannot read " + newest.string(), {}, {}});
  return fetched;
}

}  // namespace

int run_export_sealed(Session& session, const ExportOptions& options) {
  const auto fetched = options.from.empty() ? fetch(session) : find(options.from);
  if (!fetched) return session.fail(fetched.error());
  if (const auto fault = fault_of(fetched->text))
    return session.fail({Exit::BadData, "the sealed export cannot be used: " + *fault, {}, {}});
  if (auto kept = keep(options.out, fetched->text); !kept) return session.fail(kept.error());
  if (fetched->id != 0) {
    Json params = Json::object();
    params.set("export", fetched->id).set("received", hex_lower(sha256(bytes_of(fetched->text))));
    if (const auto told = session.call("export_sealed", params); !told) return session.fail(told.error());
  }
  const auto first = Json::parse(fetched->text.substr(0, fetched->text.find('\n')));
  const std::int64_t payments = (*first)["count"].integer().value_or(0);
  const std::int64_t reversals = (*first)["reversals"].integer().value_or(0);
  if (session.console.json()) {
    Json done = Json::object();
    done.set("file", options.out)
        .set("count", payments)
        .set("reversals", reversals)
        .set("bytes", static_cast<std::uint64_t>(fetched->text.size()));
    session.console.out(done.dump() + '\n');
    return static_cast<int>(Exit::Done);
  }
  const auto plural = [](std::int64_t n, const char* noun) {
    return std::to_string(n) + ' ' + noun + (n == 1 ? "" : "s");
  };
  std::string out = plural(payments, "payment");
  if (reversals != 0) out += " and " + plural(reversals, "reversal");
  session.console.out(out + " written to " + report::printable(options.out) + ", sealed and signed.\n");
  return static_cast<int>(Exit::Done);
}

}  // namespace nightdrop::cli

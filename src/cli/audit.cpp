// `nightdrop audit export` and `audit verify`: the journal as lines, and the proof that nobody changed it.
#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

#include "cli/audit_chain.hpp"
#include "cli/commands.hpp"
#include "report/text.hpp"

namespace nightdrop::cli {
namespace {

constexpr int page_lines = 1000;

Called page(Session& session, std::int64_t after) {
  Json params = Json::object();
  return session.call("audit_export", params.set("after", after).set("limit", page_lines), std::chrono::seconds(120));
}

// Goes through the journal from `after` on, page by page; `line` says whether to go on.
template <class FirstPage, class Line>
std::expected<void, Failure> for_each_line(Session& session, std::int64_t after, FirstPage first_page, Line line) {
  bool is_first = true;
  for (;;) {
    const auto answer = page(session, after);
    if (!answer) return std::unexpected(answer.error());
    if (std::exchange(is_first, false) && !first_page(answer->json.view())) return {};
    std::int64_t last = after;
    for (const JsonView item : (*answer)["lines"].items()) {
      if (!line(item)) return {};
      last = std::max({last, item["seq"].integer().value_or(0), item["checkpoint"]["seq"].integer().value_or(0)});
    }
    if (!(*answer)["has_more"].boolean().value_or(false)) return {};
    if (last == after)
      return std::unexpected(Failure{Exit::BadAnswer, "the reader's export of the journal does not go on", {}, {}});
    after = last;
  }
}

std::expected<std::optional<ReaderCertificate>, Failure> certificate_of(const AuditOptions& options) {
  if (options.certificate.empty()) return std::nullopt;
  std::ifstream file(options.certificate);
  const std::string pem{std::istreambuf_iterator<char>(file), {}};
  if (!file) return std::unexpected(Failure{Exit::NoInput, "cannot read " + options.certificate, {}, {}});
  const auto certificate = parse_certificate(pem);
  if (!certificate)
    return std::unexpected(Failure{Exit::BadData, options.certificate + ": " + certificate.error().text, {}, {}});
  return *certificate;
}

// Says how it ended; text and JSON tell the same.
int show_verdict(Session& session, const AuditChain& chain, const std::optional<std::string>& wrong, bool pinned) {
  const report::Style style = session.console.style();
  const Exit exit = wrong ? Exit::Refused : Exit::Done;
  const std::uint64_t uncovered = chain.last_seq() - chain.signed_through();
  if (session.console.json()) {
    Json verdict = Json::object();
    verdict.set("ok", !wrong).set("events", chain.events()).set("checkpoints", chain.checkpoints());
    verdict.set("first_seq", chain.first_seq()).set("last_seq", chain.last_seq());
    verdict.set("signatures_checked", chain.checks_signatures()).set("signed_through", chain.signed_through());
    verdict.set("problem", wrong);
    session.console.out(verdict.dump() + '\n');
    return static_cast<int>(exit);
  }
  if (wrong) {
    session.console.out(report::toned("BROKEN: ", report::Tone::Bad, style) + report::printable(*wrong) + '\n');
    return static_cast<int>(exit);
  }
  const auto plural = [](std::uint64_t n, const char* noun) {
    return std::to_string(n) + ' ' + noun + (n == 1 ? "" : "s");
  };
  std::string out = report::toned("The chain holds: ", report::Tone::Good, style) + plural(chain.events(), "event");
  if (chain.first_seq()) out += ", " + std::to_string(*chain.first_seq()) + " to " + std::to_string(chain.last_seq());
  out += chain.checks_signatures() ? ", " + plural(chain.checkpoints(), "signed checkpoint") + " verified.\n"
                                   : ".\nNo signature was checked: give the reader's --certificate.\n";
  if (chain.checks_signatures() && chain.checkpoints() == 0) {
    out += "No checkpoint is signed yet: they come every 1,000 events and at each stop of the daemon.\n";
  } else if (chain.checks_signatures() && uncovered > 0) {
    out += plural(uncovered, "event") + " after the last checkpoint " + (uncovered == 1 ? "is" : "are") +
           " not signed yet.\n";
  }
  if (chain.checks_signatures() && !pinned) {
    out += "The certificate is the one the reader gave; compare with your own by --certificate.\n";
  }
  if (chain.first_seq() && *chain.first_seq() > 1) {
    out +=
        "Earlier events have been pruned, or left out of the file; the first signed checkpoint vouches for the "
        "start.\n";
  }
  session.console.out(out);
  return static_cast<int>(exit);
}

int verify_file(Session& session, const AuditOptions& options, const std::optional<ReaderCertificate>& certificate) {
  std::ifstream opened;
  if (options.file != "-") opened.open(options.file);
  std::istream& file = options.file == "-" ? std::cin : opened;
  if (!file) return session.fail({Exit::NoInput, "cannot read " + options.file, {}, {}});
  std::string serial = options.serial;
  if (serial.empty() && certificate) serial = certificate->serial_number;
  if (certificate && serial.empty())
    return session.fail({Exit::Usage, "the certificate names no serial number: give --serial", {}, {}});
  AuditChain chain(certificate ? std::optional(certificate->key) : std::nullopt, serial);
  std::string text;
  for (std::size_t number = 1; std::getline(file, text); ++number) {
    if (text.empty()) continue;
    const auto line = Json::parse(text);
    const auto wrong = line ? chain.take(line->view()) : std::optional<std::string>("it is no JSON");
    if (wrong) return show_verdict(session, chain, "line " + std::to_string(number) + ": " + *wrong, true);
  }
  if (chain.events() + chain.checkpoints() == 0)
    return session.fail({Exit::BadData, options.file + " holds no journal", {}, {}});
  return show_verdict(session, chain, std::nullopt, true);
}

int verify_live(Session& session, const AuditOptions& options, const std::optional<ReaderCertificate>& pinned) {
  AuditChain chain;
  std::optional<std::string> wrong;
  const auto begin = [&](JsonView first) {
    std::optional<ReaderCertificate> certificate = pinned;
    if (!certificate) {
      const auto given = parse_certificate(first["certificate_pem"].string().value_or(std::string_view()));
      if (given) certificate = *given;
    }
    std::string serial = options.serial;
    if (serial.empty()) serial = first["serial_number"].string().value_or(std::string_view());
    chain = AuditChain(certificate ? std::optional(certificate->key) : std::nullopt, serial);
    const JsonView start = first["start"];
    if (start.is_object()) {
      wrong = chain.start(static_cast<std::uint64_t>(std::max<std::int64_t>(start["seq"].integer().value_or(0), 0)),
                          start["hash"].string().value_or(std::string_view()));
    }
    return !wrong;
  };
  const auto line = [&](JsonView item) {
    wrong = chain.take(item);
    if (chain.events() % 500 == 0) session.console.progress("Verified " + std::to_string(chain.events()) + " events…");
    return !wrong;
  };
  const auto done = for_each_line(session, 0, begin, line);
  session.console.end_progress();
  if (!done) return session.fail(done.error());
  return show_verdict(session, chain, wrong, pinned.has_value());
}

}  // namespace

int run_audit_export(Session& session, const AuditOptions& options) {
  const auto done = for_each_line(
      session, options.after, [](JsonView) { return true; },
      [&](JsonView line) {
        session.console.out(line.dump() + '\n');
        return true;
      });
  return done ? static_cast<int>(Exit::Done) : session.fail(done.error());
}

int run_audit_verify(Session& session, const AuditOptions& options) {
  const auto certificate = certificate_of(options);
  if (!certificate) return session.fail(certificate.error());
  return options.file.empty() ? verify_live(session, options, *certificate)
                              : verify_file(session, options, *certificate);
}

}  // namespace nightdrop::cli

// The policy in force: shown, replaced by a newer signed one, read again from where the configuration names it.
#include <fstream>
#include <iterator>

#include "cli/commands.hpp"
#include "report/listings.hpp"
#include "report/text.hpp"

namespace nightdrop::cli {
namespace {

constexpr std::size_t line_max = 65'536;  // of the POS protocol
constexpr std::size_t frame_bytes = 128;  // what the call itself takes of a line

std::expected<std::string, Failure> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  if (file) text.assign(std::istreambuf_iterator<char>(file), {});
  if (!file || file.bad()) return std::unexpected(Failure{Exit::NoInput, path + " cannot be read", {}, {}});
  return text;
}

int show_change(Session& session, const Answer& answer) {
  return session.show(answer, [](JsonView change) {
    const std::int64_t version = change["version"].integer().value_or(0);
    const std::int64_t from_version = change["from_version"].integer().value_or(0);
    std::string text = "Policy version " + std::to_string(version) + " is in force";
    text += version == from_version ? ".\n" : "; it was " + std::to_string(from_version) + ".\n";
    const auto overlay = change["overlay"].string().value_or("");
    if (overlay == "in_force") text += "The overlay is in force over it.\n";
    if (overlay == "in_part") {
      text += "The overlay is in force over it, but for what would loosen it: " +
              report::printable(change["overlay_reason"].string().value_or("")) + "\n";
    }
    if (overlay == "refused") {
      text += "The overlay is refused, the signed policy alone is in force: " +
              report::printable(change["overlay_reason"].string().value_or("")) + "\n";
    }
    return text;
  });
}

}  // namespace

int run_policy_show(Session& session) {
  const auto policy = session.call("retrieve_policy");
  if (!policy) return session.fail(policy.error());
  return session.show(*policy, [](JsonView object) { return report::pretty_json(object); });
}

int run_policy_update(Session& session, const Options& options) {
  const auto document = read_text(options.policy_file);
  if (!document) return session.fail(document.error());
  const std::string beside = options.policy_file + ".sig";
  auto signature = read_text(options.policy_signature_file.empty() ? beside : options.policy_signature_file);
  if (!signature) return session.fail(signature.error());
  while (!signature->empty() && (signature->back() == '\n' || signature->back() == '\r')) signature->pop_back();
  Json params = Json::object();
  params.set("document", *document).set("signature", *signature);
  // The socket takes the document as it was signed, byte for byte, or not at all.
  if (params["document"].string() != std::string_view(*document))
    return session.fail({Exit::BadData, options.policy_file + " holds no text", {}, {}});
  if (params.dump().size() + frame_bytes > line_max) {
    return session.fail({Exit::BadData,
                         options.policy_file + " is too long for the socket: put it and its signature where the "
                                               "reader's configuration says, then 'nightdrop policy reload'",
                         {},
                         {}});
  }
  const auto changed = session.call("update_policy", params);
  if (!changed) return session.fail(changed.error());
  return show_change(session, *changed);
}

int run_policy_reload(Session& session) {
  const auto changed = session.call("update_policy");
  if (!changed) return session.fail(changed.error());
  return show_change(session, *changed);
}

}  // namespace nightdrop::cli

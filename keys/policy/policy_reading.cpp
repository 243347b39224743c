#include "keys/policy/policy_reading.hpp"

#include <array>

#include "config/policy_compare.hpp"
#include "config/policy_overlay.hpp"
#include "keys/files.hpp"
#include "keys/policy/policy_document.hpp"
#include "keys/policy/policy_table.hpp"
#include "report/text.hpp"

namespace nightdrop::keys {
namespace {

constexpr std::array<const char*, 3> direction_words{"tighter", "looser", "different"};

struct Read {
  Policy policy;
  std::string ceiling;  // JSON
  Json document;        // as it was written, gaps and all
};

Outcome<Read> read_draft(const std::string& file) {
  const auto document = read_file(file);
  if (!document) return std::unexpected(document.error());
  const auto whole = fill_gaps(*document, 0);
  if (!whole) return refuse(whole.error().exit, file + ": " + whole.error().message);
  const auto policy = check_policy(*whole, file);
  if (!policy) return std::unexpected(policy.error());
  const auto parsed = Json::parse(*document);
  const JsonView ceiling = (*parsed)["ceiling"];
  return Read{*policy, ceiling.exists() ? ceiling.dump() : "null", parsed->view().copy()};
}

// Which fields are gaps in one draft and not in the other would be told as times and names that nobody wrote: gaps are
// filled alike, so that two drafts are compared by what they say; a gap on one side alone is shown as one.
std::vector<PolicyDifference> differences(const Read& before, const Read& after) {
  auto all = compare_policies(before.policy, after.policy);
  if (before.ceiling != after.ceiling)
    all.push_back({"ceiling", PolicyDirection::Different, before.ceiling, after.ceiling});
  for (PolicyDifference& difference : all) {
    const auto is_gap = [&](const Read& read) {
      return !read.document[difference.field].exists() || read.document[difference.field].is_null();
    };
    if (difference.field != "valid_from" && difference.field != "valid_until" && difference.field != "merchant_id")
      continue;
    if (is_gap(before)) difference.before = "null";
    if (is_gap(after)) difference.after = "null";
    if (is_gap(before) || is_gap(after)) difference.direction = PolicyDirection::Different;
  }
  return all;
}

}  // namespace

Outcome<Made> policy_show(const std::string& file, const std::string& overlay_file) {
  const auto document = read_file(file);
  if (!document) return std::unexpected(document.error());
  auto policy = check_policy(*document, file);
  if (!policy) return std::unexpected(policy.error());
  if (!overlay_file.empty()) {
    const auto overlay = read_file(overlay_file);
    if (!overlay) return std::unexpected(overlay.error());
    auto merged = tighten_policy(*policy, *overlay);
    if (!merged) return refuse(Exit::Data, overlay_file + ": " + merged.error().message);
    // A reader would leave those fields out; whoever writes the overlay shall know before it is on one.
    if (!merged->left_out.empty()) return refuse(Exit::Data, overlay_file + ": " + merged->left_out_sentence());
    policy = std::move(merged->policy);
  }
  const auto parsed = Json::parse(*document);
  const JsonView ceiling = (*parsed)["ceiling"];
  Made made;
  made.text = policy_table(*policy, ceiling.is_object());
  made.json = policy_json(*policy);
  Json approvers = Json::array();
  for (const Approver& approver : policy->approvers) approvers.push(std::move(Json::object().set("id", approver.id)));
  made.json.set("approvers", std::move(approvers));
  if (ceiling.is_object()) made.json.set("ceiling", ceiling);
  return Outcome<Made>(std::move(made));
}

Outcome<Made> policy_diff(const std::string& before_file, const std::string& after_file) {
  const auto before = read_draft(before_file);
  if (!before) return std::unexpected(before.error());
  const auto after = read_draft(after_file);
  if (!after) return std::unexpected(after.error());
  Made made;
  Json list = Json::array();
  std::array<int, 3> counts{};
  for (const PolicyDifference& difference : differences(*before, *after)) {
    const auto direction = static_cast<std::size_t>(difference.direction);
    ++counts[direction];
    made.text += report::left(direction_words[direction], 11) + report::left(difference.field, 34) + " " +
                 shown_value(difference.field, difference.before) + " -> " +
                 shown_value(difference.field, difference.after) + "\n";
    Json entry = Json::object();
    entry.set("field", difference.field).set("direction", direction_words[direction]);
    const auto value = [](const std::string& json) {
      auto parsed = Json::parse(json);
      return parsed ? std::move(*parsed) : Json::null();
    };
    entry.set("before", value(difference.before)).set("after", value(difference.after));
    list.push(std::move(entry));
  }
  const bool same = list.view().size() == 0;
  made.text += same ? "The two allow the same.\n"
                    : std::to_string(counts[0]) + " tighter, " + std::to_string(counts[1]) + " looser, " +
                          std::to_string(counts[2]) + " different\n";
  const bool is_step = same || after->policy.version > before->policy.version;
  if (!is_step) made.text += "note: version: is not raised; a reader that has the first refuses the second\n";
  made.json.set("version_raised", is_step);
  made.json.set("same", same).set("differences", std::move(list));
  made.exit_code = same ? 0 : 1;
  return Outcome<Made>(std::move(made));
}

}  // namespace nightdrop::keys

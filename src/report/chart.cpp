// The exposure chart: eighth blocks, one column a slice of time.
#include "report/chart.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "nightdrop/time_text.hpp"
#include "report/currency.hpp"

namespace nightdrop::report {
namespace {

constexpr std::array<const char*, 9> blocks{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

// The highest amount in each of `columns` slices of [from, until].
std::vector<std::int64_t> peaks(std::span<const ExposurePoint> points, UtcMs until, std::size_t columns) {
  std::vector<std::int64_t> peak(columns, 0);
  const UtcMs from = points.front().at;
  const UtcMs span = std::max<UtcMs>(until - from, 1);
  const auto column_of = [&](UtcMs at) {
    const auto column = static_cast<std::int64_t>(static_cast<double>(at - from) / static_cast<double>(span) *
                                                  static_cast<double>(columns));
    return static_cast<std::size_t>(std::clamp<std::int64_t>(column, 0, static_cast<std::int64_t>(columns) - 1));
  };
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::size_t first = column_of(points[i].at);
    // It holds until the next point; in that point's own slice only if the slice has begun with it.
    const UtcMs end = i + 1 < points.size() ? points[i + 1].at : until;
    const std::size_t last = std::max(first, column_of(std::max(points[i].at, end - 1)));
    for (std::size_t column = first; column <= last; ++column) peak[column] = std::max(peak[column], points[i].amount);
  }
  return peak;
}

}  // namespace

void Exposure::take(JsonView event) {
  const JsonView payment = event["data"];
  const auto type = event["type"].string();
  const auto at = parse_rfc3339(event["created"].string().value_or(std::string_view()));
  const auto id = payment["id"].string();
  const auto currency = payment["currency"].string();
  if (!type || !type->starts_with("payment_intent.") || !at || !id || !currency) return;
  if (payment["object"].string() == "refund") return;
  const auto status = payment["status"].string();
  const bool waits = status == "stored" || status == "forwarding";
  const std::int64_t now = waits ? payment["amount"].integer().value_or(0) : 0;
  const auto known = amounts_.find(std::string(*id));
  const std::int64_t before = known == amounts_.end() ? 0 : known->second;
  if (now == before) return;
  if (waits) {
    amounts_[std::string(*id)] = now;
  } else {
    amounts_.erase(known);
  }
  std::int64_t& total = totals_[std::string(*currency)];
  total += now - before;
  points_[std::string(*currency)].push_back({*at, total});
}

std::string exposure_chart(std::span<const ExposurePoint> points, UtcMs until, std::string_view currency,
                           const Style& style, std::size_t height) {
  if (points.empty()) return "Nothing was stored.\n";
  const std::int64_t top =
      std::max<std::int64_t>(std::ranges::max_element(points, {}, &ExposurePoint::amount)->amount, 1);
  const std::string top_label = decimal(top, currency);
  const std::size_t label = std::max(top_label.size(), std::size_t{4});
  const std::size_t columns = std::max<std::size_t>(style.width > label + 4 ? style.width - label - 3 : 10, 10);
  const auto peak = peaks(points, until, columns);

  std::string out;
  for (std::size_t row = height; row-- > 0;) {
    const std::string mark = row + 1 == height ? top_label : row == 0 ? "0" : "";
    out += right(mark, label) + (mark.empty() ? " │" : " ┤");
    std::string line;
    for (const std::int64_t amount : peak) {
      auto eighths = static_cast<std::int64_t>(static_cast<double>(amount) / static_cast<double>(top) *
                                               static_cast<double>(height * 8));
      if (amount > 0) eighths = std::max<std::int64_t>(eighths, 1);
      const auto filled = std::clamp<std::int64_t>(eighths - static_cast<std::int64_t>(row * 8), 0, 8);
      line += blocks[static_cast<std::size_t>(filled)];
    }
    while (line.ends_with(' ')) line.pop_back();
    out += toned(line, Tone::Warning, style) + '\n';
  }
  out += std::string(label, ' ') + " └" + repeated("─", columns) + '\n';
  const std::string from_text = local_time(points.front().at, style, true).substr(11);
  const std::string until_text = local_time(until, style, true).substr(11);
  const std::size_t between =
      columns > from_text.size() + until_text.size() ? columns - from_text.size() - until_text.size() : 1;
  out += std::string(label + 2, ' ') + from_text + std::string(between, ' ') + until_text + '\n';
  return out;
}

}  // namespace nightdrop::report

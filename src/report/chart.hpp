// The amount at risk over time, as a small chart of blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.hpp"
#include "report/text.hpp"

namespace nightdrop::report {

// What was stored and not authorized from a time on, until the next point.
struct ExposurePoint {
  UtcMs at{0};
  std::int64_t amount{0};  // minor units
};

// What was at risk over time, by currency, from the journal's payment_intent events in their order: stored offline and
// not yet answered. Refunds are not in it.
class Exposure {
 public:
  // Requires: the params of an event. Others than payment_intent.* are passed over.
  void take(JsonView event);
  const std::map<std::string, std::vector<ExposurePoint>>& by_currency() const { return points_; }

 private:
  std::map<std::string, std::int64_t> amounts_;  // by id, of what is at risk now
  std::map<std::string, std::int64_t> totals_;   // by currency
  std::map<std::string, std::vector<ExposurePoint>> points_;
};

// Draws the points from the first one's time until `until`: the peak of each column, so that no spike is lost.
// Requires: points in the order of time. Ensures: at most style.width columns; `height` rows and two for the time.
// Nothing but a sentence when there are no points.
std::string exposure_chart(std::span<const ExposurePoint> points, UtcMs until, std::string_view currency,
                           const Style& style, std::size_t height = 6);

}  // namespace nightdrop::report

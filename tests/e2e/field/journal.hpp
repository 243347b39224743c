// The reader's journal, as the tests of this folder ask for it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {

// Every event, oldest first.
inline std::vector<Json> journal(World& world) {
  std::vector<Json> events;
  const Answer lines = world.call("audit_export", R"({"limit":1000})");
  for (const JsonView line : lines["lines"].items()) {
    if (auto event = Json::parse(line["event"].string().value_or(""))) events.push_back(std::move(*event));
  }
  return events;
}

// The data of the last event of a type; null when there is none.
inline Json last_event(World& world, std::string_view type) {
  Json found;
  for (const Json& event : journal(world)) {
    if (event["type"].string() == type) found = event["data"].copy();
  }
  return found;
}

}  // namespace nightdrop::e2e

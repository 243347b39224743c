// The list of event types against what the sources journal and tell.
#include "report/event_types.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace nightdrop::report {
namespace {

TEST(EventTypes, StatusesAreTypesAndMisspellingsAreNot) {
  for (const auto& [status, name] : words<Status>) EXPECT_TRUE(is_event_type("payment_intent." + std::string(name)));
  EXPECT_TRUE(is_event_type("sync.completed"));
  for (const char* wrong : {"payment_intent.", "payment_intent.suceeded", "sync", "audit.refused", "", "limit.near "}) {
    EXPECT_FALSE(is_event_type(wrong)) << wrong;
  }
}

TEST(EventTypes, WhatIsJournalledIsInTheList) {
  const std::regex call(R"re((journal|tell_now)\(\s*"([a-z_]+\.[a-z_]+)")re");
  std::size_t seen = 0;
  for (const char* top : {"src", "firmware"}) {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(std::string(NIGHTDROP_SOURCE_DIR "/") + top)) {
      if (entry.path().extension() != ".cpp") continue;
      std::stringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      const std::string source = text.str();
      for (std::sregex_iterator at(source.begin(), source.end(), call), end; at != end; ++at) {
        const std::string type = (*at)[2];
        ++seen;
        EXPECT_TRUE(type.starts_with("audit.") || is_event_type(type)) << type << " of " << entry.path();
      }
    }
  }
  EXPECT_GT(seen, 15u);
}

}  // namespace
}  // namespace nightdrop::report

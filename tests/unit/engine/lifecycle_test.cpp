// Every cell of the lifecycle table, written down a second time from the contract's words (docs/pos_protocol.md,
// status): a change of the table must be made twice to pass.
#include "engine/lifecycle.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <utility>

#include "nightdrop/words.hpp"

namespace nightdrop::engine {
namespace {

using S = Status;
using E = Event;

const std::map<std::pair<S, E>, S> allowed{
    {{S::RequiresPaymentMethod, E::CardRead}, S::RequiresConfirmation},
    {{S::RequiresPaymentMethod, E::CardRefused}, S::RequiresPaymentMethod},
    {{S::RequiresPaymentMethod, E::ManagerApproved}, S::RequiresPaymentMethod},
    {{S::RequiresPaymentMethod, E::Voided}, S::Canceled},
    {{S::RequiresConfirmation, E::CardRefused}, S::RequiresPaymentMethod},
    {{S::RequiresConfirmation, E::ApprovalNeeded}, S::RequiresApproval},
    {{S::RequiresConfirmation, E::ManagerApproved}, S::RequiresConfirmation},
    {{S::RequiresConfirmation, E::SendOnline}, S::Processing},
    {{S::RequiresConfirmation, E::Store}, S::Stored},
    {{S::RequiresConfirmation, E::Voided}, S::Canceled},
    {{S::RequiresApproval, E::CardRefused}, S::RequiresPaymentMethod},
    {{S::RequiresApproval, E::ManagerApproved}, S::RequiresConfirmation},
    {{S::RequiresApproval, E::Voided}, S::Canceled},
    {{S::Processing, E::CardRefused}, S::RequiresPaymentMethod},
    {{S::Processing, E::Store}, S::Stored},
    {{S::Processing, E::NotSent}, S::Processing},
    {{S::Processing, E::NoAnswer}, S::Processing},
    {{S::Processing, E::HostApproved}, S::Succeeded},
    {{S::Processing, E::HostDeclined}, S::Declined},
    {{S::Processing, E::HostRejected}, S::RequiresReview},
    {{S::Processing, E::Reversed}, S::Canceled},
    {{S::Stored, E::Forward}, S::Forwarding},
    {{S::Stored, E::Voided}, S::Canceled},
    {{S::Stored, E::Reversed}, S::Canceled},
    {{S::Stored, E::DeadlinePassed}, S::Expired},
    {{S::Forwarding, E::Forward}, S::Forwarding},
    {{S::Forwarding, E::NotSent}, S::Stored},
    {{S::Forwarding, E::NoAnswer}, S::Stored},
    {{S::Forwarding, E::HostApproved}, S::Succeeded},
    {{S::Forwarding, E::HostDeclined}, S::Declined},
    {{S::Forwarding, E::HostRejected}, S::RequiresReview},
    {{S::Forwarding, E::Reversed}, S::Canceled},
    {{S::Succeeded, E::Reversed}, S::Canceled},
    {{S::Declined, E::RetryDue}, S::Stored},
    {{S::Expired, E::Voided}, S::Canceled},
    {{S::Expired, E::Released}, S::Stored},
    {{S::RequiresReview, E::Reversed}, S::Canceled},
};

TEST(Lifecycle, EveryCellIsAsWrittenHere) {
  for (std::size_t s = 0; s < status_count; ++s) {
    for (std::size_t e = 0; e < event_count; ++e) {
      const auto state = static_cast<S>(s);
      const auto event = static_cast<E>(e);
      const auto cell = allowed.find({state, event});
      const auto expected = cell == allowed.end() ? forbidden : std::optional(cell->second);
      EXPECT_EQ(next(state, event), expected) << word(state) << " x " << event_names[e];
    }
  }
}

TEST(Lifecycle, EventNamesAreSnakeCaseAndDifferent) {
  const std::set<std::string_view> names(event_names.begin(), event_names.end());
  EXPECT_EQ(names.size(), event_count);
  for (const auto name : event_names) {
    EXPECT_FALSE(name.empty());
    for (const char c : name) EXPECT_TRUE((c >= 'a' && c <= 'z') || c == '_') << name;
  }
}

TEST(Lifecycle, RiskIsStoredInFlightAndUnknownAlone) {
  for (std::size_t s = 0; s < status_count; ++s) {
    const auto state = static_cast<S>(s);
    EXPECT_EQ(is_at_risk(state), state == S::Processing || state == S::Stored || state == S::Forwarding) << word(state);
    EXPECT_EQ(is_reportable(state), state == S::Declined || state == S::Expired || state == S::RequiresReview)
        << word(state);
    EXPECT_EQ(is_final(state), state == S::Succeeded || state == S::Declined || state == S::Canceled) << word(state);
    EXPECT_FALSE(is_at_risk(state) && (is_final(state) || is_reportable(state))) << word(state);
  }
}

// From each state a payment can still come to an end that the contract knows; none is a trap.
TEST(Lifecycle, EveryStateReachesAnEnd) {
  for (std::size_t s = 0; s < status_count; ++s) {
    std::set<S> reached{static_cast<S>(s)};
    for (bool grew = true; grew;) {
      grew = false;
      for (const S from : std::set<S>(reached)) {
        for (std::size_t e = 0; e < event_count; ++e) {
          if (const auto to = next(from, static_cast<E>(e)); to) grew = reached.insert(*to).second || grew;
        }
      }
    }
    EXPECT_TRUE(reached.contains(S::Canceled) || reached.contains(S::Succeeded) || is_reportable(static_cast<S>(s)))
        << word(static_cast<S>(s));
  }
}

}  // namespace
}  // namespace nightdrop::engine

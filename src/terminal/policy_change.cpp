// A policy that replaces the one in force while the reader runs, and one that is refused; see books.hpp, terminal.hpp.
// The change is in the journal before any decision is made under it, so that every decision in the journal can be held
// against the policy that made it.
#include <algorithm>

#include "nightdrop/time_text.hpp"
#include "nightdrop/words.hpp"
#include "terminal/terminal.hpp"

namespace nightdrop::terminal {

Result<void> Books::journal_policy(std::int64_t version, std::int64_t from_version) {
  return journal("policy.changed", std::move(Json::object().set("version", version).set("from_version", from_version)));
}

void Books::change_policy(Policy policy, Reply<void> done) {
  const auto journalled = write([&] { return journal_policy(policy.version, policy_->version); });
  if (!journalled) return reply<void>(done, std::unexpected(store_error(journalled.error())));
  state_.policy_version = std::max(state_.policy_version, policy.version);  // in the same commit
  then([this, policy = std::move(policy), done = std::move(done)](bool durable) mutable {
    if (!durable) return done(std::unexpected(store_error(Error{Errc::Io, 0, ""})));
    own_policy_ = std::make_unique<const Policy>(std::move(policy));
    policy_ = own_policy_.get();
    done({});
  });
}

void Terminal::change_policy(Policy policy, Reply<void> done) {
  books_.change_policy(std::move(policy), [this, done = std::move(done)](PosResult<void> changed) {
    if (changed) {
      forwarder_.policy_changed();
      expiry_told_ = false;
      tell_status();  // other limits
    }
    done(std::move(changed));
  });
}

// While there is time to have a newer one signed. The hourly pruning wakes the loop for it.
void Terminal::tell_policy_expiry() {
  const Policy& policy = books_.policy();
  if (expiry_told_ || !books_.clock_trusted()) return;
  if (policy.valid_until - books_.now() >= report::policy_expires_soon_ms) return;
  expiry_told_ = books_
                     .write([&] {
                       Json data = Json::object();
                       data.set("version", policy.version).set("valid_until", rfc3339(policy.valid_until));
                       return books_.journal("policy.expiring", std::move(data));
                     })
                     .has_value();
}

void Terminal::refuse_policy(std::string_view what, const std::string& reason) {
  (void)books_.write([&] {
    return books_.journal("policy.refused", std::move(Json::object().set("what", what).set("reason", reason)));
  });
}

}  // namespace nightdrop::terminal

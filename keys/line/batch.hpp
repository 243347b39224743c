// A batch of orders: many readers at once, each in a thread of its own. Stops after the units in hand at SIGINT or
// SIGTERM, and goes on where it was when it is run again: what the database calls provisioned is not touched, a unit
// whose end was not seen is settled by asking its reader, one that failed waits aside until it is asked for.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "keys/line/orders.hpp"
#include "keys/line/provision_unit.hpp"
#include "keys/line/recipe.hpp"
#include "keys/line/station.hpp"
#include "keys/outcome.hpp"

namespace nightdrop::keys {

struct BatchOptions {
  std::string orders_file;
  RecipeOptions recipe;  // for rows that name no policy or template of their own
  int jobs{4};
  bool retry_failed{false};
  provisioning::Timeouts timeouts{};
};

// Ensures: an exit code of 69 where units were set aside, of 75 where it was stopped before the end.
// Errors: Data and Config, naming lines and columns, before any reader is touched; those of the station.
Outcome<Made> run_batch(Station& station, const BatchOptions& options);

}  // namespace nightdrop::keys

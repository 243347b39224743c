// nightdropd, put together: the composition root. Opens in an order in which nothing is touched before it is known to
// be this reader's (configuration, vault, queue, policy), runs one loop, and stops so that everything is durable.
#pragma once

#include <expected>
#include <string>

#include "config/config.hpp"
#include "hal/key_vault.hpp"

namespace nightdrop::firmware {

// sysexits.h
inline constexpr int exit_data = 65;  // data that can't be used: wrong key, newer schema, damaged vault
inline constexpr int exit_unavailable = 69;
inline constexpr int exit_io = 74;
inline constexpr int exit_busy = 75;    // another daemon has the queue
inline constexpr int exit_config = 78;  // configuration, policy

struct StartFailure {
  int exit_code{exit_config};
  std::string message;  // one sentence for a person
};

// Runs until SIGTERM or SIGINT. Ensures: on return all is durable. Gives the failure to start, if any.
// `accepted`: older copies of vault or queue that a person has decided to go on with.
std::expected<void, StartFailure> run_daemon(const Config& config, hal::Older accepted = hal::Older::Refuse);

// As far as run_daemon() without taking cards: configuration, vault, queue and policy can be used.
std::expected<void, StartFailure> check_daemon(const Config& config);

}  // namespace nightdrop::firmware

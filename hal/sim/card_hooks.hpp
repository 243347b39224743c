// The card half of the world's control socket: cards as JSON, and the functions by which SimControl reaches the reader.
#pragma once

#include <expected>

#include "hal/sim/card_catalogue.hpp"
#include "hal/sim/card_reader.hpp"
#include "hal/sim/sim_control.hpp"
#include "json/json.hpp"

namespace nightdrop::hal {

// A catalogue name (a string), or an object {pan, exp_month?, exp_year?, read_method?, brand?, service_code?,
// cardholder_name?, test_card?}. Unknown members are refused. Errors: the field that can't be.
std::expected<CardSpec, CardFieldError> card_from_json(JsonView card);

// [{"name","about","pan","brand","read_method"}, …]: the catalogue in its order.
Json catalogue_json();

// {"open", "last", "card", "waiting", "waiting_count"}: what the reader shows and holds.
Json reader_state_json(const SimCardReader& reader);

// Lifetime: `reader` outlives the hooks.
SimCardHooks card_hooks(SimCardReader& reader);

}  // namespace nightdrop::hal

// A key in components: what each custodian types or hands in as a file, checked one by one against its check value, and
// put together by exclusive or. One custodian alone knows nothing of the key.
#pragma once

#include <string>
#include <vector>

#include "keys/outcome.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::keys {

struct ComponentsWanted {
  std::string key;                      // for the prompts
  std::size_t count{2};                 // 2 or 3
  std::vector<std::size_t> key_sizes;   // in bytes
  std::vector<std::string> custodians;  // empty: asked for
  std::vector<std::string> files;       // empty: asked for. First line: the component in hex; second: its check value
  std::string check_value;              // of the whole key; empty: asked for
};

struct WholeKey {
  SecretBytes key;
  std::string check_value;              // 10 hex digits
  std::vector<std::string> custodians;  // in their order
  std::vector<std::string> component_check_values;
};

// Errors: Usage (how many; a custodian twice), Data (which component, or the whole key, is not as its check value says;
// a component of zeros, which would leave the key to the others), NoInput.
Outcome<WholeKey> collect_components(const ComponentsWanted& wanted);

}  // namespace nightdrop::keys

// The wall clock of commands.
#include <chrono>

#include "keys/command_line.hpp"

namespace nightdrop::keys {

UtcMs now() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace nightdrop::keys

// What the command's exit says; --help lists them. Numbers from 64 on are those of sysexits.h.
#pragma once

namespace nightdrop::cli {

enum class Exit : int {
  Done = 0,
  Refused = 1,  // the payment ended without money; the audit chain is broken; two books differ
  Usage = 2,
  ByRule = 3,  // the policy or the payment's state does not allow it
  NotFound = 4,
  BadData = 65,       // a file that cannot be used
  NoInput = 66,       // a file that cannot be read
  NotReachable = 69,  // no daemon on the socket
  BadAnswer = 70,
  TryLater = 75,
  Interrupted = 130,
};

}  // namespace nightdrop::cli

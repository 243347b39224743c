// The command line: what it may say and what --help tells. Global options stand before or after the sub-command.
#pragma once

#include <optional>
#include <string>

#include "cli/options.hpp"

namespace nightdrop::cli {

enum class Command {
  Pay,
  Refund,
  Approve,
  List,
  Show,
  Tip,
  Void,
  Declines,
  Ack,
  Status,
  Forward,
  Report,
  Reconcile,
  Events,
  AuditExport,
  AuditVerify,
  PolicyShow,
  PolicyUpdate,
  PolicyReload,
  AcceptDamage,
  ExportSealed,
  Rekey,
};

struct Arguments {
  Options options;
  std::optional<Command> command;  // nothing: print `text` and leave
  std::string text;                // help or a complaint
  bool wrong{false};
};

Arguments parse_arguments(int count, const char* const* values);

}  // namespace nightdrop::cli

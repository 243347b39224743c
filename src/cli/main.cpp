// The `nightdrop` command: finds the reader's socket, runs one sub-command, leaves with its exit code.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <expected>
#include <string>

#include "cli/arguments.hpp"
#include "cli/commands.hpp"
#include "config/config.hpp"

namespace nightdrop::cli {
namespace {

std::expected<std::string, Failure> socket_path(const Options& options) {
  if (!options.socket.empty()) return options.socket;
  if (!options.config.empty()) {
    const auto config = load_config(options.config);
    if (!config) return std::unexpected(Failure{Exit::BadData, config.error().message, {}, {}});
    return config->pos_socket.path;
  }
  if (const char* path = std::getenv("NIGHTDROP_SOCKET"); path != nullptr && *path != '\0') return std::string(path);
  return PosSocket{}.path;
}

int run(Session& session, Command command, const Options& options) {
  switch (command) {
    case Command::Pay: return run_pay(session, options.pay);
    case Command::Refund: return run_refund(session, options.refund);
    case Command::Approve: return run_approve(session, options);
    case Command::List: return run_list(session, options.list);
    case Command::Show: return run_show(session, options);
    case Command::Tip: return run_tip(session, options);
    case Command::Void: return run_void(session, options);
    case Command::Declines: return run_declines(session, options.declines);
    case Command::Ack: return run_ack(session, options);
    case Command::Status: return run_status(session);
    case Command::Forward: return run_forward(session, options);
    case Command::Report: return run_report(session, options);
    case Command::Reconcile: return run_reconcile(session, options);
    case Command::Events: return run_events(session, options.events);
    case Command::AuditExport: return run_audit_export(session, options.audit);
    case Command::AuditVerify: return run_audit_verify(session, options.audit);
    case Command::PolicyShow: return run_policy_show(session);
    case Command::PolicyUpdate: return run_policy_update(session, options);
    case Command::PolicyReload: return run_policy_reload(session);
    case Command::AcceptDamage: return run_accept_damage(session);
    case Command::Rekey: return run_rekey(session, options.key_block_file);
    case Command::ExportSealed: return run_export_sealed(session, options.sealed);
  }
  return static_cast<int>(Exit::Usage);
}

int main_of(int count, const char* const* values) {
  const Arguments arguments = parse_arguments(count, values);
  if (!arguments.command) {
    std::fputs(arguments.text.c_str(), arguments.wrong ? stderr : stdout);
    return static_cast<int>(arguments.wrong ? Exit::Usage : Exit::Done);
  }
  Console console(arguments.options.json, arguments.options.no_color);
  const auto path = socket_path(arguments.options);
  Session session(console, path.value_or(std::string()));
  if (!path) return session.fail(path.error());
  return run(session, *arguments.command, arguments.options);
}

}  // namespace
}  // namespace nightdrop::cli

int main(int count, char** values) {
  try {
    return nightdrop::cli::main_of(count, values);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "nightdrop: %s\n", problem.what());
    return static_cast<int>(nightdrop::cli::Exit::BadAnswer);
  }
}

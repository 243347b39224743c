// What the command line said, one struct a sub-command; filled by arguments.cpp, read by the commands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nightdrop::cli {

struct ApprovalOptions {
  std::string approver;
  bool pin_stdin{false};
};

struct PayOptions {
  std::string amount;  // 12.50
  std::optional<std::int64_t> minor;
  std::string currency{"usd"};
  std::string reference;
  std::string tip;
  std::string description;
  std::string offline_behavior;
  std::string on_network_loss;
  std::string max_offline_amount;
  int timeout_s{60};
  ApprovalOptions approval;
  bool merchant_copy{false};
};

struct RefundOptions {
  std::string payment;  // id or reference; empty: with a card
  std::string amount;
  std::optional<std::int64_t> minor;
  std::string currency{"usd"};
  std::string reference;
  int timeout_s{60};
  ApprovalOptions approval;
};

struct ListOptions {
  std::string status;
  int limit{20};
  std::string starting_after;
  bool all{false};
};

struct EventsOptions {
  std::string consumer{"nightdrop-cli"};
  std::vector<std::string> types;
  std::optional<std::int64_t> after;
  bool follow{false};
  bool acknowledge{false};
};

struct AuditOptions {
  std::string file;         // verify: empty means live
  std::string certificate;  // PEM
  std::string serial;
  std::int64_t after{0};  // export
};

struct ExportOptions {
  std::string out;
  std::string from;  // a stopped reader's queue folder; empty: the running daemon
};

struct Options {
  std::string socket;
  std::string config;
  bool json{false};
  bool no_color{false};

  PayOptions pay;
  RefundOptions refund;
  ListOptions list;
  ListOptions declines;
  EventsOptions events;
  AuditOptions audit;
  ExportOptions sealed;
  std::string key_block_file;
  ApprovalOptions approval;
  std::string payment;  // id or reference, of show, approve, tip, void, ack
  bool receipt{false};
  bool merchant_copy{false};
  std::string tip_amount;
  std::string reason;
  std::string note;
  std::string report_id;
  bool exposure{false};
  bool no_wait{false};
  int forward_timeout_s{300};
  std::string csv_file;
  std::string policy_file;
  std::string policy_signature_file;  // empty: the policy's with .sig
};

}  // namespace nightdrop::cli

// The command line in CLI11, see arguments.hpp; the only file that includes it.
#include "cli/arguments.hpp"

#include <CLI/CLI.hpp>

#include <sstream>
#include <utility>
#include <vector>

namespace nightdrop::cli {
namespace {

constexpr const char* description =
    "Drives a Nightdrop card reader: takes payments, online or stored offline, and\n"
    "looks after what is stored. A stored payment is NOT an authorized one.\n";

constexpr const char* footer = R"(
The reader's socket is found by, in this order:
  --socket PATH             the socket itself
  --config FILE             the daemon's nightdrop.json, key pos_socket
  NIGHTDROP_SOCKET          environment
  /run/nightdrop/pos.sock   default

Payments are named by ID (pi_...) or by merchant reference. Amounts are in major
units, with the currency's decimals: 12.50 for usd, 500 for jpy.

Environment:
  NIGHTDROP_SOCKET          see above
  NO_COLOR                  if set, no colours
  COLUMNS                   width of tables where there is no terminal; 80

Exit status:
    0  done; of pay and refund: approved, or stored offline (see the receipt)
    1  no money: declined, card refused, canceled; reconcile: the books differ;
       audit verify: the chain is broken
    2  the command line, or a value in it, is wrong
    3  refused by a rule: a limit of the policy, a missing or wrong approval, or
       a payment whose state does not allow it
    4  there is no such payment
   65  a file cannot be used     66  a file cannot be read
   69  the daemon is not reachable, or the connection was lost
   70  the reader's answer cannot be understood
   75  try later: reader busy, store full, forwarding not finished in time
  130  interrupted

Examples:
  nightdrop status
  nightdrop pay 12.50 --reference order-1001
  nightdrop list --status stored
  nightdrop forward
  nightdrop declines
'nightdrop COMMAND --help' tells more about each.)";

// CLI11's own words for what is allowed would crowd the help; the descriptions say it.
CLI::Validator one_of(std::vector<std::string> words) {
  return CLI::IsMember(std::move(words)).description("");
}
CLI::Validator between(int least, int most) {
  return CLI::Range(least, most).description("");
}

constexpr const char* also = "\n\n--socket, --config, --json and --no-color may stand here too.";

// One sub-command under construction.
class Sub {
 public:
  Sub(CLI::App& parent, const char* name, const char* about, Arguments& into, Command command)
      : app_(*parent.add_subcommand(name, about)) {
    app_.fallthrough();
    app_.callback([&into, command] { into.command = command; });
  }
  CLI::App& app() { return app_; }
  // Ends the help: what else to know, and examples.
  Sub& examples(const char* text) {
    app_.footer(std::string(text) + also);
    return *this;
  }
  Sub& payment(std::string& into) {
    app_.add_option("payment", into, "ID or merchant reference")->required()->type_name("ID");
    return *this;
  }
  Sub& approval(ApprovalOptions& into) {
    app_.add_option("--approver", into.approver, "the manager who approves")->type_name("NAME");
    app_.add_flag("--pin-stdin", into.pin_stdin, "read the PIN from standard input");
    return *this;
  }

 private:
  CLI::App& app_;
};

void add_pay(CLI::App& app, Arguments& into) {
  PayOptions& pay = into.options.pay;
  Sub sub(app, "pay", "Take a payment and print the receipt", into, Command::Pay);
  CLI::App& s = sub.app();
  s.add_option("amount", pay.amount, "total, tip included, as 12.50")->type_name("AMOUNT");
  s.add_option("--minor", pay.minor, "the total in minor units instead")->type_name("N");
  s.add_option("--currency", pay.currency, "ISO 4217; default usd")
      ->type_name("CODE")
      ->transform(CLI::detail::to_lower);
  s.add_option("--reference", pay.reference, "your order's id; default: made up")->type_name("TEXT");
  s.add_option("--tip", pay.tip, "what of the total is tip")->type_name("AMOUNT");
  s.add_option("--description", pay.description, "free text, at most 200")->type_name("TEXT");
  s.add_option("--offline-behavior", pay.offline_behavior, "prefer_online, require_online,\nforce_offline")
      ->type_name("WORD")
      ->check(one_of({"prefer_online", "require_online", "force_offline"}));
  s.add_option("--on-network-loss", pay.on_network_loss,
               "store, fail or ask, when the network\nis lost after the card was read")
      ->type_name("WORD")
      ->check(one_of({"store", "fail", "ask"}));
  s.add_option("--max-offline-amount", pay.max_offline_amount, "tighter limit for storing it")->type_name("AMOUNT");
  s.add_option("--timeout", pay.timeout_s, "seconds to wait for the card; 60")->type_name("S")->check(between(1, 300));
  s.add_flag("--merchant-copy", pay.merchant_copy, "print the merchant's receipt");
  sub.approval(pay.approval).examples(R"(
Ctrl-C cancels the payment. The same --reference and amount never pay twice: the
same payment comes back. When a manager must approve, the command asks on a
terminal; elsewhere give --approver and the PIN with --pin-stdin.

Examples:
  nightdrop pay 12.50
  nightdrop pay 14.50 --tip 2.00 --reference table-7
  nightdrop pay --minor 1250 --currency eur --offline-behavior require_online
  nightdrop pay 450 --approver manager --pin-stdin < pin.txt)");
}

void add_refund(CLI::App& app, Arguments& into) {
  RefundOptions& refund = into.options.refund;
  Sub sub(app, "refund", "Give money back; a manager approves it", into, Command::Refund);
  CLI::App& s = sub.app();
  s.add_option("payment", refund.payment, "ID or merchant reference of what is refunded")->type_name("ID");
  s.add_option("--amount", refund.amount, "part of it; without ID: to a card")->type_name("AMOUNT");
  s.add_option("--minor", refund.minor, "the same in minor units")->type_name("N");
  s.add_option("--currency", refund.currency, "with an amount; default usd")
      ->type_name("CODE")
      ->transform(CLI::detail::to_lower);
  s.add_option("--reference", refund.reference, "your refund's id; default: made up")->type_name("TEXT");
  s.add_option("--timeout", refund.timeout_s, "seconds to wait for the card; 60")
      ->type_name("S")
      ->check(between(1, 300));
  sub.approval(refund.approval).examples(R"(
Examples:
  nightdrop refund order-1001 --approver manager
  nightdrop refund order-1001 --amount 5.00 --approver manager
  nightdrop refund --amount 5.00 --approver manager --pin-stdin < pin.txt)");
}

void add_payments(CLI::App& app, Arguments& into) {
  Options& o = into.options;
  Sub list(app, "list", "List payments, newest first", into, Command::List);
  list.app().add_option("--status", o.list.status, "only these: stored, succeeded, declined, ...")->type_name("WORD");
  list.app().add_option("--limit", o.list.limit, "how many; 20")->type_name("N")->check(between(1, 100));
  list.app().add_option("--starting-after", o.list.starting_after, "go on after this payment")->type_name("ID");
  list.app().add_flag("--all", o.list.all, "all pages");
  list.examples("\nExamples:\n  nightdrop list --status stored\n  nightdrop list --all --json");

  Sub show(app, "show", "Show one payment, or print its receipt again", into, Command::Show);
  show.payment(o.payment);
  show.app().add_flag("--receipt", o.receipt, "the customer's receipt");
  show.app().add_flag("--merchant-copy", o.merchant_copy, "the merchant's receipt");
  show.examples("\nExamples:\n  nightdrop show order-1001\n  nightdrop show order-1001 --receipt");

  Sub approve(app, "approve", "Approve a payment as a manager", into, Command::Approve);
  approve.payment(o.payment).approval(o.approval);
  approve.examples(
      "\nThe PIN is asked for without echo, or read with --pin-stdin; never an argument.\n\n"
      "Examples:\n  nightdrop approve order-1001 --approver manager");

  Sub tip(app, "tip", "Set the tip of a stored payment", into, Command::Tip);
  tip.payment(o.payment);
  tip.app().add_option("tip", o.tip_amount, "the whole tip, as 2.00")->required()->type_name("AMOUNT");
  tip.examples("\nExamples:\n  nightdrop tip order-1001 2.00");

  Sub cancel(app, "void", "Cancel a payment: a stored one is never sent", into, Command::Void);
  cancel.payment(o.payment);
  cancel.app()
      .add_option("--reason", o.reason, "requested_by_customer, duplicate,\nabandoned (default)")
      ->type_name("WORD")
      ->check(one_of({"requested_by_customer", "duplicate", "abandoned"}));
  cancel.examples(
      "\nOne that is being sent is reversed after its answer. An approved one needs a\nrefund.\n\n"
      "Examples:\n  nightdrop void order-1001 --reason duplicate");

  Sub declines(app, "declines", "List what was declined, expired or is in doubt", into, Command::Declines);
  declines.app().add_option("--limit", o.declines.limit, "how many; 20")->type_name("N")->check(between(1, 100));
  declines.app().add_option("--starting-after", o.declines.starting_after, "go on after this payment")->type_name("ID");
  declines.app().add_flag("--all", o.declines.all, "all pages, also what is acknowledged");
  declines.examples("\nExamples:\n  nightdrop declines\n  nightdrop declines --all --json");

  Sub ack(app, "ack", "Acknowledge a decline: somebody has dealt with it", into, Command::Ack);
  ack.payment(o.payment);
  ack.app().add_option("--note", o.note, "what was done about it")->type_name("TEXT");
  ack.examples("\nExamples:\n  nightdrop ack order-1001 --note \"paid in cash\"");
}

void add_queue(CLI::App& app, Arguments& into) {
  Options& o = into.options;
  Sub(app, "status", "Network, what is at risk, limits, forwarding", into, Command::Status)
      .examples("\nExamples:\n  nightdrop status\n  nightdrop status --json");

  Sub forward(app, "forward", "Send what is stored, and wait until it is sent", into, Command::Forward);
  forward.app().add_flag("--no-wait", o.no_wait, "start and leave");
  forward.app()
      .add_option("--timeout", o.forward_timeout_s, "seconds to wait; 300; 0: for ever")
      ->type_name("S")
      ->check(between(0, 86'400));
  forward.examples(
      "\nForwarding goes on by itself whenever a path is up; this hurries it and watches.\n\n"
      "Examples:\n  nightdrop forward\n  nightdrop forward --timeout 30");

  Sub report(app, "report", "The report of the last sync run", into, Command::Report);
  report.app().add_option("--id", o.report_id, "of this run instead")->type_name("ID");
  report.app().add_flag("--exposure", o.exposure, "what was at risk over time, as a chart");
  report.examples("\nExamples:\n  nightdrop report\n  nightdrop report --exposure");

  Sub reconcile(app, "reconcile", "Compare the POS's log with the reader's book", into, Command::Reconcile);
  reconcile.app().add_option("file", o.csv_file, "comma-separated values, RFC 4180")->required()->type_name("FILE.csv");
  reconcile.examples(R"(
The file has a header line that names its columns, in any order:
  merchant_reference, currency, amount (12.50) or amount_minor (1250), and last4
  where it is known. Other columns are passed over. Nothing is changed; the exit
  status is 1 when the books differ.

Examples:
  nightdrop reconcile friday.csv
  nightdrop reconcile friday.csv --json)");
}

void add_journal(CLI::App& app, Arguments& into) {
  EventsOptions& e = into.options.events;
  Sub events(app, "events", "Print the reader's events", into, Command::Events);
  events.app()
      .add_option("--consumer", e.consumer, "whose place in the stream is kept;\ndefault nightdrop-cli")
      ->type_name("NAME");
  events.app().add_option("--types", e.types, "only these, separated by commas")->delimiter(',')->type_name("TYPE");
  events.app().add_option("--after", e.after, "begin after this number")->type_name("SEQ");
  events.app().add_flag("--follow,-f", e.follow, "go on as they come");
  events.app().add_flag("--ack", e.acknowledge, "acknowledge what was printed: the next\ntime begins after it");
  events.examples(
      "\nExamples:\n  nightdrop events --follow\n  nightdrop events --types payment_intent.declined --json\n"
      "  nightdrop events --consumer bookkeeping --ack --json >> events.jsonl");

  AuditOptions& a = into.options.audit;
  CLI::App& audit = *app.add_subcommand("audit", "Export the journal, or verify its chain");
  audit.fallthrough();
  audit.require_subcommand(1);
  Sub exported(audit, "export", "Print the journal, one JSON object a line", into, Command::AuditExport);
  exported.app()
      .add_option("--after", a.after, "begin after this event")
      ->type_name("SEQ")
      ->check(between(0, 999'999'999));
  exported.examples("\nExamples:\n  nightdrop audit export > journal.jsonl");
  Sub verify(audit, "verify", "Check the chain and its signed checkpoints", into, Command::AuditVerify);
  verify.app()
      .add_option("file", a.file, "an exported journal, - for standard input;\nwithout it the reader's own")
      ->type_name("FILE");
  verify.app().add_option("--certificate", a.certificate, "the reader's certificate, PEM")->type_name("PEM");
  verify.app()
      .add_option("--serial", a.serial, "its serial number, where the certificate\ndoes not name it")
      ->type_name("TEXT");
  verify.examples(
      "\nExamples:\n  nightdrop audit verify\n  nightdrop audit verify journal.jsonl --certificate ND000001.pem");

  CLI::App& policy = *app.add_subcommand("policy", "The signed policy that is in force");
  policy.fallthrough();
  policy.require_subcommand(1);
  Sub(policy, "show", "Print it", into, Command::PolicyShow).examples("\nExamples:\n  nightdrop policy show");
  Options& o = into.options;
  Sub update(policy, "update", "Put a newer signed policy in force", into, Command::PolicyUpdate);
  update.app().add_option("--file", o.policy_file, "the policy, as it was signed")->required()->type_name("FILE");
  update.app().add_option("--signature", o.policy_signature_file, "its signature; default FILE.sig")->type_name("FILE");
  update.examples(R"(
The reader checks it as at its start: signed, not older, the same merchant's. It is
then kept on the reader and in force from the next payment on. One that is refused
changes nothing; 'nightdrop status' tells of it until a good one comes. A policy
too long for the socket goes to the place the configuration names: see reload.

Examples:
  nightdrop policy update --file policy.json)");
  Sub(policy, "reload", "Read the configured policy and overlay again", into, Command::PolicyReload)
      .examples("\nThe same as SIGHUP to the daemon.\n\nExamples:\n  nightdrop policy reload");

  Sub rekey(app, "rekey", "Take a new initial key from a TR-31 key block", into, Command::Rekey);
  rekey.app()
      .add_option("--block", into.options.key_block_file, "the key block as text; - for standard input")
      ->required()
      ->type_name("FILE");
  rekey.examples(
      "\nThe block is authenticated and opened by the keys that the reader has: nobody\n"
      "else's is taken, and no manager is asked. What is stored under the old key\n"
      "goes out as it is.\n\n"
      "Examples:\n  nightdrop rekey --block ND000001.tr31");

  Sub sealed(app, "export-sealed", "Write what waits as a file for the acquirer", into, Command::ExportSealed);
  sealed.app()
      .add_option("--out", into.options.sealed.out, "the file; an old one is replaced")
      ->required()
      ->type_name("FILE");
  sealed.app()
      .add_option("--from", into.options.sealed.from,
                  "a tampered reader's queue_dir: copy what\nits daemon wrote, without the daemon")
      ->type_name("DIR");
  sealed.examples(
      "\nCard data in the file is encrypted, and the reader has signed it. The payments\n"
      "stay in the queue and may still be forwarded: the acquirer posts an id once.\n\n"
      "Examples:\n  nightdrop export-sealed --out friday.ndjson\n"
      "  nightdrop export-sealed --from /var/lib/nightdrop/queue --out friday.ndjson");

  Sub(app, "accept-damage", "Take payments again after a damaged queue", into, Command::AcceptDamage)
      .examples(
          "\nThe daemon has set a damaged file aside, carried over what could be read, and\n"
          "refuses payments until a person has looked at what was lost (event\nstore.degraded) and says so with "
          "this.\n\n"
          "Examples:\n  nightdrop events --types store.degraded\n  nightdrop accept-damage");
}

}  // namespace

Arguments parse_arguments(int count, const char* const* values) {
  Arguments arguments;
  CLI::App app(description, "nightdrop");
  app.get_formatter()->column_width(30);
  app.get_formatter()->label("REQUIRED", "");
  app.footer(footer);
  app.require_subcommand(1);
  app.add_option("--socket", arguments.options.socket, "the reader's socket")->type_name("PATH");
  app.add_option("--config", arguments.options.config, "the daemon's configuration")->type_name("FILE");
  app.add_flag("--json", arguments.options.json, "print the protocol's objects, unchanged");
  app.add_flag("--no-color", arguments.options.no_color, "no colours");
  add_queue(app, arguments);
  add_pay(app, arguments);
  add_refund(app, arguments);
  add_payments(app, arguments);
  add_journal(app, arguments);
  try {
    app.parse(count, values);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream complaint;
    arguments.wrong = app.exit(error, out, complaint) != 0;
    arguments.command.reset();
    arguments.text = arguments.wrong ? complaint.str() : out.str();
  }
  return arguments;
}

}  // namespace nightdrop::cli

// nightdrop-sim: the world around a reader, for QA. Each sub-command is a function that takes its options and gives the
// exit code; its command line and its help are described here, so that --help has one voice.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <functional>
#include <memory>
#include <string>

#include "simulator/acquirer/import.hpp"
#include "simulator/acquirer/run.hpp"
#include "simulator/story/run.hpp"

namespace {

using namespace nightdrop::simulator;

constexpr const char* acquirer_help = R"(
WHAT IT DOES
  Speaks the acquirer's API (docs/acquirer_api.md) over TLS 1.3 with client
  certificates, opens card envelopes with the BDK, and keeps a ledger in
  DIR/ledger.jsonl. An id is posted once, however often it comes; what it
  answers is on the disk before. The ledger holds last4 and KSN, no card number.

FILES IN DIR (made by nightdrop-provision dev)
  keys.json      {"bdk": HEX, "bdk_id": HEX, "key_type": "aes-128", ...}
  server.pem server.key ca.pem    the server's certificate, key and authority
  readers/SERIAL.pem              the certificates of the readers it knows; one
                                  that is added is found without a restart
  revoked.pem                     the manufacturing authority's revocation list
                                  (manufacturing_ca.pem, or ca.pem); optional,
                                  read again when it changes
  renewal.pem renewal.key         the authority that renews readers'
                                  certificates; optional
  ledger.jsonl                    the ledger; made when it is missing

WHEN IT IS READY it prints one line:
  {"event":"ready","listen":"127.0.0.1:8443","admin":"127.0.0.1:8444"}

ADMIN API (plain HTTP, loopback)
  GET    /admin/ledger        every id: outcome, posted, reversed, ksn, attempts
  GET    /admin/stats         requests, posted, twice (0, always), replayed, cut,
                              faults_fired, anomalies, max_concurrent, amounts
  POST   /admin/faults        install a plan; DELETE removes it
  POST   /admin/reset-faults  begin the installed plan again
  POST   /admin/import        a reader's sealed export; see acquirer import
  POST   /admin/outcome       {"last4"|"id": "...", "response_code": "51",
                              "advice_code": "24"?}; DELETE forgets them all

PLAN OF FAULTS (--plan, POST /admin/faults)
  {"seed": 7, "rules": [RULE, ...]} or just [RULE, ...]. At each request the
  rules are asked in order; the first that matches and fires decides.
  RULE   {"fault": KIND, "match": {...}, "probability": 0.1, "count": 5,
         "seed": 7, ...}
  match  method, path (a * at its end: any that begins so), id, nth (only the
         nth request that matches), every (each nth)
  count  fires at most so often. seed: of this rule's own random numbers
  KIND            fields              what happens
  refuse                              the connection is closed before TLS
                                      (match: nth and every, of connections)
  cut_before                          read, not processed, connection cut
  cut_after                           posted, then cut before any answer byte
  delay           ms                  posted; the answer comes ms later
  slow_drip       ms                  posted; the answer, a byte every ms
  status          code, retry_after   that HTTP status; retry_after in seconds
                                      or as a date
  html                                200 with a captive portal's page
  redirect                            302 to a captive portal
  garbage                             200 with a body that is no JSON
  wrong_id                            an answer that names another payment
  unknown_outcome                     an outcome that nobody knows
  too_long                            an answer of more than 64 KiB
  pending         n, retry_after      posted; 202 n times, then the answer
  partial         amount              approved for amount only
  replay                              delivered twice; the second answer leaves
  none                                nothing: keeps later rules away
  "processed": true|false says for status, html, redirect, garbage, wrong_id,
  unknown_outcome and too_long whether the request is posted all the same
  (default: the first three no, the others yes). In a batch a fault is of the
  whole request; pending and partial are of each payment in it.

ANOMALIES (in ledger and stats; only the first is refused)
  ksn_reused, counter_order, merchant_reference_reused, retry_of_approved

EXIT STATUS
  0   ended by SIGTERM or SIGINT        74  the disk failed
  65  the ledger is damaged             75  another acquirer has the ledger
  69  an address is taken               78  DIR or the plan can't be used

EXAMPLES
  nightdrop-provision dev --out /tmp/nd
  nightdrop-sim acquirer --dir /tmp/nd/acquirer --verbose
  curl -s http://127.0.0.1:8444/admin/stats
  curl -s http://127.0.0.1:8444/admin/faults -d \
    '[{"fault":"cut_after","match":{"path":"/v1/payments","every":3}}]'
)";

constexpr const char* ledger_help = R"(
Reads DIR/ledger.jsonl, also while the acquirer runs. Amounts are in minor
units. EXIT STATUS: 0; 65 the ledger is damaged; 78 there is none.
)";

constexpr const char* import_help = R"(
WHAT IT DOES
  Takes in what `nightdrop export-sealed` wrote, or what a tampered reader left
  in its queue folder. The signature is checked with DIR/readers/SERIAL.pem, not
  with what the file says of itself. Reversals first, then each payment as if
  the reader had sent it: an id is posted once, so importing a file twice, or
  one whose payments were forwarded too, adds nothing. An acquirer that runs
  goes on: it takes the file in itself, through its admin API.
  Each id is posted, declined, already_there, reversed, held or rejected. Held
  is what passed its deadline on the reader: --with-expired posts that too.

EXIT STATUS
  0   all is taken in             69  the acquirer that runs is not reachable
  1   something was rejected      74  the disk failed: import again
  65  the file can't be used      78  DIR can't be used
  66  the file can't be read

EXAMPLE
  nightdrop-sim acquirer import --dir /tmp/nd/acquirer friday.ndjson
)";

CLI::App* add_import(CLI::App& acquirer, const std::shared_ptr<AcquirerOptions>& shared, std::function<int()>& chosen) {
  CLI::App* command = acquirer.add_subcommand("import", "Take a reader's sealed export in, once");
  command->fallthrough();  // --dir, --admin and --json may stand behind the name
  auto options = std::make_shared<ImportOptions>();
  command->add_option("file", options->file, "The export")->required()->type_name("FILE");
  command->add_flag("--with-expired", options->with_expired, "Post also what passed its deadline on the reader");
  command->add_flag("--json", options->json, "The report as JSON");
  command->footer(import_help);
  command->callback([options, shared, &chosen] {
    options->directory = shared->directory;
    options->admin = shared->admin;
    chosen = [options] { return run_import(*options); };
  });
  return command;
}

void add_acquirer(CLI::App& app, std::function<int()>& chosen) {
  CLI::App* command = app.add_subcommand("acquirer", "Run the simulated acquirer");
  auto options = std::make_shared<AcquirerOptions>();  // lives in the callback
  command->add_option("--dir", options->directory, "The acquirer's folder")->required()->type_name("DIR");
  command->add_option("--listen", options->listen, "Where the API listens; port 0 picks a free one")
      ->capture_default_str()
      ->type_name("ADDRESS:PORT");
  command
      ->add_option("--admin", options->admin,
                   "Where the admin API listens (default: 127.0.0.1, the port after --listen's)")
      ->type_name("ADDRESS:PORT");
  command->add_option("--plan", options->plan, "A plan of faults to begin with")->type_name("FILE");
  command->add_flag("--verbose", options->verbose, "Log each request to standard error: route, id and outcome");
  command->add_flag("--json", options->json, "Accepted, and changes nothing: the ready line is always JSON");
  command->footer(acquirer_help);
  const CLI::App* import = add_import(*command, options, chosen);
  command->callback([options, import, &chosen] {
    if (!import->parsed()) chosen = [options] { return run_acquirer(*options); };
  });
}

constexpr const char* story_help = R"(
Friday, 7:40 pm: makes a reader in DIR, starts nightdropd and the acquirer on
free ports, and plays an evening on which the line drops, the plug is pulled and
answers get lost. Then it proves that no payment was lost or taken twice, that
the audit chain holds and that no card number is in any file. simulator/demo
builds all that is needed and runs this.

EXIT STATUS: 0 the proof holds; 1 it does not; 70 the story broke off.
)";

void add_story(CLI::App& app, std::function<int()>& chosen) {
  CLI::App* command = app.add_subcommand("story", "Friday, 7:40 pm: an evening with the real programs, and the proof");
  auto options = std::make_shared<StoryOptions>();
  command->add_option("--dir", options->directory, "Where the reader is made; a new folder")
      ->required()
      ->type_name("DIR");
  command->add_option("--programs", options->programs, "The folder with nightdropd, nightdrop and the others")
      ->required()
      ->type_name("DIR");
  command->add_flag("--fast", options->fast, "No pauses for the eye (there are none without a terminal)");
  command->add_flag("--json", options->json, "The proof as JSON on standard output; the story goes to standard error");
  command->add_flag("--keep", options->keep, "Say at the end how to go on by hand");
  command->add_option("--sabotage", options->sabotage)
      ->check(CLI::IsMember({"doubled", "lost", "pan", "audit"}))
      ->group("");
  command->footer(story_help);
  command->callback([options, &chosen] { chosen = [options] { return run_story(*options); }; });
}

void add_ledger(CLI::App& app, std::function<int()>& chosen) {
  CLI::App* command = app.add_subcommand("ledger", "Print the simulated acquirer's ledger");
  auto options = std::make_shared<LedgerOptions>();
  command->add_option("--dir", options->directory, "The acquirer's folder")->required()->type_name("DIR");
  command->add_flag("--json", options->json, "As JSON");
  command->footer(ledger_help);
  command->callback([options, &chosen] { chosen = [options] { return print_ledger(*options); }; });
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("nightdrop-sim: the world around a Nightdrop reader, simulated", "nightdrop-sim");
  app.require_subcommand(1);
  std::function<int()> chosen;
  add_acquirer(app, chosen);
  add_ledger(app, chosen);
  add_story(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 64;  // EX_USAGE
  }
  return chosen();
}

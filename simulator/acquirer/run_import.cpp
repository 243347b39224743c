// The sub-command `acquirer import`: on the ledger itself where no acquirer holds it, otherwise through the admin API
// of the one that does, so that nothing has to be stopped.
#include <httplib.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>

#include "simulator/acquirer/import.hpp"
#include "simulator/acquirer/ledger_file.hpp"

namespace nightdrop::simulator {
namespace {

// Of <sysexits.h>.
constexpr int exit_rejected = 1;
constexpr int exit_data = 65;
constexpr int exit_no_input = 66;
constexpr int exit_unavailable = 69;
constexpr int exit_io = 74;
constexpr int exit_configuration = 78;

int complain(int code, const std::string& sentence) {
  std::fprintf(stderr, "nightdrop-sim: %s\n", sentence.c_str());
  return code;
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

int show(JsonView report, const ImportOptions& options) {
  const bool complete = report["complete"].boolean().value_or(false);
  const bool durable = report["durable"].boolean().value_or(false);
  if (options.json) {
    std::printf("%s\n", report.dump().c_str());
  } else {
    for (const JsonView line : report["lines"].items()) {
      const std::string id(line["id"].string().value_or(""));
      const std::string result(line["result"].string().value_or(""));
      const std::string code(line["code"].string().value_or(""));
      std::printf("%-35s %s%s%s\n", id.c_str(), result.c_str(), code.empty() ? "" : " ", code.c_str());
    }
    const auto number = [&](const char* key) { return static_cast<long long>(report[key].integer().value_or(0)); };
    std::printf("%lld posted, %lld declined, %lld already there, %lld reversed, %lld held, %lld rejected\n",
                number("posted"), number("declined"), number("already_there"), number("reversed"), number("held"),
                number("rejected"));
    if (number("held") != 0) std::printf("Held: past their deadline on the reader; --with-expired posts them too.\n");
  }
  if (!durable) return complain(exit_io, "the ledger could not be written; import the file again");
  return complete ? 0 : exit_rejected;
}

int through_admin(const ImportOptions& options, const std::string& text) {
  std::string address = options.admin;
  if (address.empty()) {
    const auto said = Json::parse(read_file(options.directory + "/" + running_name).value_or(""));
    address = said ? std::string((*said)["admin"].string().value_or("")) : "";
  }
  if (address.empty())
    return complain(exit_unavailable, "the acquirer that holds the ledger does not say where it is; give --admin");
  httplib::Client client("http://" + address);
  client.set_connection_timeout(5);
  client.set_read_timeout(600);
  const auto answer = client.Post(options.with_expired ? "/admin/import?with_expired=true" : "/admin/import", text,
                                  "application/x-ndjson");
  if (!answer) return complain(exit_unavailable, "the acquirer's admin API at " + address + " is not reachable");
  const auto body = Json::parse(answer->body);
  if (!body || (answer->status != 200 && answer->status != 422))
    return complain(exit_unavailable, "the acquirer's admin API at " + address + " gave no answer that is known");
  if (answer->status == 422)
    return complain(exit_data, options.file + ": " + std::string((*body)["error"]["message"].string().value_or("")));
  return show(body->view(), options);
}

}  // namespace

int run_import(const ImportOptions& options) {
  const auto text = read_file(options.file);
  if (!text) return complain(exit_no_input, options.file + ": cannot be read");
  auto keys = load_card_keys(options.directory);
  if (!keys) return complain(exit_configuration, keys.error());
  auto host = Host::open(options.directory, *std::move(keys));
  if (!host && host.error().code == Errc::Busy) return through_admin(options, *text);
  if (!host) {
    const int code = host.error().code == Errc::Corrupt ? exit_data : exit_configuration;
    return complain(code, options.directory + "/" + ledger_name + ": " + host.error().text);
  }
  const auto file = read_sealed(*text, options.directory);
  if (!file) return complain(exit_data, options.file + ": " + file.error());
  const bool watched = ::isatty(STDERR_FILENO) == 1;
  const auto report = import_sealed(**host, *file, options.with_expired, [&](std::size_t done, std::size_t of) {
    if (watched && (done % 25 == 0 || done == of))
      std::fprintf(stderr, "\rTaken in %zu of %zu%s", done, of, done == of ? "\n" : "");
  });
  return show(report_json(report).view(), options);
}

}  // namespace nightdrop::simulator

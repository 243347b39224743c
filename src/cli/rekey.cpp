// `nightdrop rekey`: hands a TR-31 key block to the reader, which opens it by its own keys.
#include <fstream>
#include <iostream>
#include <iterator>

#include "cli/commands.hpp"
#include "report/text.hpp"

namespace nightdrop::cli {

int run_rekey(Session& session, const std::string& key_block_file) {
  std::ifstream opened;
  if (key_block_file != "-") opened.open(key_block_file);
  std::istream& file = key_block_file == "-" ? std::cin : opened;
  std::string block{std::istreambuf_iterator<char>(file), {}};
  if (!file || block.empty()) return session.fail({Exit::NoInput, "cannot read " + key_block_file, {}, {}});
  block.erase(block.find_last_not_of(" \t\r\n") + 1);
  Json params = Json::object();
  const auto changed = session.call("rekey", params.set("key_block", block));
  if (!changed) return session.fail(changed.error());
  return session.show(*changed, [](JsonView result) {
    const auto id = result["initial_key_id"].string().value_or(std::string_view("?"));
    return "New payments are under the initial key " + report::printable(id) + ".\n";
  });
}

}  // namespace nightdrop::cli

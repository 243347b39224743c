#include "simulator/acquirer/card_keys.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "json/json.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::simulator {

std::expected<CardKeys, std::string> load_card_keys(const std::string& directory) {
  const std::string path = directory + "/keys.json";
  const auto problem = [&](const char* what) { return std::unexpected(path + ": " + what); };
  std::ifstream file(path);
  if (!file) return problem("cannot be read");
  std::ostringstream buffer;
  buffer << file.rdbuf();
  auto document = Json::parse(std::move(buffer).str());
  if (!document || !document->view().is_object()) return problem("is not a JSON object");

  CardKeys keys;
  const auto type = (*document)["key_type"].string();
  const auto known = type ? from_word<KeyType>(*type) : std::nullopt;
  if (!known) return problem("key_type must be aes-128, aes-192 or aes-256");
  keys.bdk_type = *known;

  auto bdk = secret_from_hex((*document)["bdk"].string().value_or(""));
  const std::size_t size = keys.bdk_type == KeyType::Aes128 ? 16 : keys.bdk_type == KeyType::Aes192 ? 24 : 32;
  if (!bdk || bdk->size() != size) return problem("bdk must be hex of the length that key_type says");
  keys.bdk = *std::move(bdk);

  const auto id = from_hex((*document)["bdk_id"].string().value_or(""));
  if (!id || id->size() != keys.bdk_id.size()) return problem("bdk_id must be 8 hex digits");
  std::copy(id->begin(), id->end(), keys.bdk_id.begin());
  return keys;
}

}  // namespace nightdrop::simulator

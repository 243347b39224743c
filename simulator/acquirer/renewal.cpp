#include "simulator/acquirer/renewal.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "crypto/primitives.hpp"
#include "json/json.hpp"
#include "nightdrop/encoding.hpp"
#include "x509/certificate_file.hpp"
#include "x509/memory_key.hpp"

namespace nightdrop::simulator {
namespace {

constexpr UtcMs day_ms = 86'400'000;
constexpr UtcMs lifetime_ms = 730 * day_ms;

// The authority with its key; nothing where the folder has none.
struct Authority {
  x509::MemoryKey key;
  std::vector<x509::Certificate> chain;  // its own certificate first
};

std::optional<Authority> read_authority(const std::string& directory) {
  auto chain = x509::read_chain_file(directory + "/renewal.pem");
  auto key = x509::MemoryKey::from_file(directory + "/renewal.key");
  if (!chain || !key || !chain->front().is_authority) return std::nullopt;
  return Authority{*std::move(key), *std::move(chain)};
}

Result<x509::Bytes> request_in(std::string_view body) {
  const auto document = Json::parse(body);
  if (!document || !(*document)["csr"].is_string()) return failure(Errc::Malformed, "csr: is missing");
  return from_base64(*(*document)["csr"].string());
}

Result<x509::Certificate> certify(const Authority& authority, const Caller& caller) {
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  auto serial_number = x509::random_serial_number();
  if (!serial_number) return std::unexpected(serial_number.error());
  const x509::Certificate& own = authority.chain.front();
  return x509::issue(authority.key.signer(), own, caller.key,
                     {.common_name = caller.serial_number,
                      .serial_number = *std::move(serial_number),
                      .not_before = std::max(now - day_ms, own.not_before),  // a reader's clock may be late
                      .not_after = std::min(now + lifetime_ms, own.not_after),
                      .purpose = x509::Purpose::Client,
                      .hosts = {}});
}

Answer unavailable() {
  return error_answer({503, "renewal_unavailable", "the certificate cannot be made now; ask again"});
}

Answer granted(const std::string& chain_pem, bool replayed) {
  Json body = Json::object();
  body.set("certificate", chain_pem);
  return Answer{.body = body.dump(), .replayed = replayed, .outcome = "renewed"};
}

}  // namespace

Answer Renewals::renew(const Caller& caller, std::string_view body) {
  const std::lock_guard lock(mutex_);
  const auto authority = read_authority(directory_);
  if (!authority) return error_answer({404, "renewal_unknown", "this acquirer renews no certificates"});
  const auto der = request_in(body);
  if (!der) return error_answer({400, "malformed_json", "the body must be an object with csr, in base64"});
  const auto request = x509::parse_request(*der);
  if (!request) return error_answer({422, "csr_invalid", "csr: is no request for a P-256 key, signed by that key"});
  if (request->common_name != caller.serial_number) {
    return error_answer({422, "csr_name", "csr: its common name is not the reader's serial number"});
  }
  if (request->public_key != caller.key) {
    return error_answer({422, "csr_key", "csr: its key is not the one of the reader's certificate"});
  }
  if (readers_.is_revoked(authority->chain.front().serial_number)) return unavailable();

  const std::string name = hex_lower(sha256(*der));
  const std::string path = directory_ + "/renewals/" + name + ".pem";
  if (const auto known = x509::read_chain_file(path)) {
    if (!readers_.add(caller.serial_number, known->front())) return unavailable();
    return granted(x509::read_text_file(path).value_or(""), true);
  }
  std::error_code ignored;
  std::filesystem::create_directories(directory_ + "/renewals", ignored);
  const auto certificate = certify(*authority, caller);
  if (!certificate) return unavailable();
  std::string chain = certificate->pem();
  for (const x509::Certificate& each : authority->chain) chain += each.pem();
  if (!x509::replace_file(path, chain) || !readers_.add(caller.serial_number, *certificate)) return unavailable();
  return granted(chain, false);
}

}  // namespace nightdrop::simulator

#include "acquirer/https/renewal.hpp"

#include "json/json.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::acquirer {

hal::HostRequest renewal_request(std::span<const std::uint8_t> csr_der, const Merchant& merchant) {
  hal::HostRequest made;
  made.method = "POST";
  made.path = "/v1/certificate";
  made.headers.emplace_back("Nightdrop-Reader", merchant.serial_number);
  made.headers.emplace_back("Content-Type", "application/json");
  made.body = std::move(Json::object().set("csr", to_base64(csr_der))).dump();
  return made;
}

std::expected<std::string, NoCertificate> read_renewal_answer(const hal::HostOutcome& outcome) {
  const auto* reply = std::get_if<hal::HostReply>(&outcome);
  if (reply == nullptr) return std::unexpected(NoCertificate::NoAnswer);
  if (reply->status >= 500 || reply->status == 408 || reply->status == 425 || reply->status == 429) {
    return std::unexpected(NoCertificate::Unavailable);
  }
  const auto body = Json::parse(reply->body);
  if (reply->too_long || !body || !body->view().is_object()) return std::unexpected(NoCertificate::NotAnAnswer);
  if (reply->status >= 400) {
    // A portal's page says 404 as well: only the acquirer gives its code.
    if ((*body)["error"]["code"].string().value_or("").empty()) return std::unexpected(NoCertificate::NotAnAnswer);
    return std::unexpected(reply->status == 404 ? NoCertificate::NotOffered : NoCertificate::Refused);
  }
  const auto certificate = (*body)["certificate"].string();
  if (reply->status != 200 || !certificate) return std::unexpected(NoCertificate::NotAnAnswer);
  return std::string(*certificate);
}

}  // namespace nightdrop::acquirer

#include "simulator/acquirer/sealed_file.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <span>

#include "crypto/primitives.hpp"
#include "json/json.hpp"
#include "nightdrop/encoding.hpp"
#include "simulator/acquirer/json_slices.hpp"
#include "simulator/acquirer/payment_check.hpp"

namespace nightdrop::simulator {
namespace {

constexpr std::size_t line_max = 128 * 1024;

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

bool is_serial_number(std::string_view text) {
  constexpr std::string_view allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  return !text.empty() && text.size() <= 32 && text.front() != '.' &&
         text.find_first_not_of(allowed) == std::string_view::npos;
}

// Nothing when the signature over the message is by the certificate's key; otherwise what is wrong.
std::optional<std::string> verify_by(const std::string& path, std::string_view message,
                                     std::span<const std::uint8_t> signature) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "r"), &BIO_free);
  const Certificate certificate(file ? PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr) : nullptr, &X509_free);
  if (!certificate) {
    ERR_clear_error();
    return "the reader is not registered here: " + path + " is missing or no certificate";
  }
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  const bool good =
      context &&
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, X509_get0_pubkey(certificate.get())) == 1 &&
      EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                       reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
  ERR_clear_error();
  if (!good) return "the signature is not the registered reader's";
  return std::nullopt;
}

// By the certificate that the reader has, or by one of those it had before it was erased and provisioned again: what it
// signed then is as good, and an erased key signs nothing any more.
std::optional<std::string> verify(const std::string& readers, const std::string& serial_number,
                                  std::string_view message, std::span<const std::uint8_t> signature) {
  auto fault = verify_by(readers + "/" + serial_number + ".pem", message, signature);
  std::error_code ended;
  std::filesystem::directory_iterator at(readers + "/former/" + serial_number, ended);
  for (; fault && !ended && at != std::filesystem::directory_iterator(); at.increment(ended)) {
    if (at->path().extension() != ".pem") continue;
    if (!verify_by(at->path().string(), message, signature)) fault.reset();
  }
  return fault;
}

// The lines of the text; nothing unless the last one is ended too.
std::optional<std::vector<std::string_view>> split(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || end > line_max) return std::nullopt;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::optional<std::string> read_line(std::string_view line, SealedFile& file) {
  const auto json = Json::parse(line);
  if (!json) return "is no JSON";
  const std::string key((*json)["key"].string().value_or(""));
  if (key.empty()) return "has no key";
  if ((*json)["payment"].is_object()) {
    SealedPayment payment;
    payment.id = (*json)["payment"]["id"].string().value_or("");
    payment.key = key;
    payment.body = member_slice(line, "payment");
    payment.expired = (*json)["status"].string() == "expired";
    if (!is_payment_id(payment.id)) return "names no payment";
    file.payments.push_back(std::move(payment));
    return std::nullopt;
  }
  if ((*json)["reversal"].is_object()) {
    SealedReversal reversal{std::string((*json)["id"].string().value_or("")), key, member_slice(line, "reversal")};
    if (!is_payment_id(reversal.id)) return "names no payment";
    file.reversals.push_back(std::move(reversal));
    return std::nullopt;
  }
  return "is neither a payment nor a reversal";
}

}  // namespace

std::expected<SealedFile, std::string> read_sealed(std::string_view text, const std::string& directory) {
  const auto lines = split(text);
  if (!lines || lines->size() < 2) return std::unexpected("the file is cut off");
  const auto header = Json::parse(lines->front());
  const auto last = Json::parse(lines->back());
  if (!header || (*header)["format"].string() != "nightdrop-sealed/1")
    return std::unexpected("the file is no sealed export of a format known here");
  SealedFile file;
  file.serial_number = (*header)["serial_number"].string().value_or("");
  file.created = (*header)["created"].string().value_or("");
  if (!is_serial_number(file.serial_number)) return std::unexpected("serial_number: is none");
  const std::string digest = hex_lower(sha256(bytes_of(text.substr(0, text.size() - lines->back().size() - 1))));
  if (!last || (*last)["sha256"].string() != digest) return std::unexpected("the file is cut off or was changed");
  const auto signature = from_base64((*last)["signature"].string().value_or("?"));
  if (!signature) return std::unexpected("signature: is no base64");
  const std::string message = "nightdrop-sealed/1\n" + file.serial_number + "\n" + digest;
  if (auto fault = verify(directory + "/readers", file.serial_number, message, *signature))
    return std::unexpected(*std::move(fault));
  for (std::size_t at = 1; at + 1 < lines->size(); ++at) {
    if (const auto fault = read_line((*lines)[at], file))
      return std::unexpected("line " + std::to_string(at + 1) + " " + *fault);
  }
  const auto count = (*header)["count"].integer();
  if (count != static_cast<std::int64_t>(file.payments.size()))
    return std::unexpected("count: is not the number of payments in the file");
  return file;
}

}  // namespace nightdrop::simulator

#include "provisioning/erase_order.hpp"

#include "config/fields.hpp"
#include "crypto/p256.hpp"
#include "crypto/primitives.hpp"
#include "json/json.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::provisioning {
namespace {

constexpr std::size_t order_max = 32 * 1024;
constexpr UtcMs far_future = 253'402'300'799'999;  // the end of year 9999

// What is signed: a name, so that the signature serves for nothing else, then the order's exact text.
std::string signed_text(std::string_view order) {
  return std::string("nightdrop-erase-order/1\n").append(order);
}

// The members of the outer document, in their order.
struct Envelope {
  std::string order, certificates, signature;
};

void any_text(config::Fields& fields, std::string_view key, std::string& into) {
  fields.require(key);
  const auto text = fields.take(key).string();
  if (text && !text->empty()) {
    into = *text;
  } else {
    fields.refuse(key, "must be a text");
  }
}

void hex_text(config::Fields& fields, std::string_view key, std::string& into, std::size_t max) {
  fields.require(key);
  fields.text(key, into, max);
  if (!config::only(into, "0123456789abcdef")) fields.refuse(key, "must be lower-case hexadecimal digits");
}

std::expected<Envelope, std::string> read_envelope(std::string_view text) {
  if (text.size() > order_max) return std::unexpected("order: is too long");
  const auto json = Json::parse(text);
  if (!json || !json->view().is_object()) return std::unexpected("order: is no JSON object");
  config::Problem problem;
  Envelope envelope;
  {
    config::Fields fields(json->view(), "", problem);
    any_text(fields, "order", envelope.order);
    any_text(fields, "certificates", envelope.certificates);
    any_text(fields, "signature", envelope.signature);
  }
  if (problem.found()) return std::unexpected(problem.sentence());
  return envelope;
}

std::expected<EraseOrder, std::string> read_order(std::string_view text) {
  const auto json = Json::parse(text);
  if (!json || !json->view().is_object()) return std::unexpected("order: is no JSON object");
  config::Problem problem;
  EraseOrder order;
  {
    config::Fields fields(json->view(), "order", problem);
    std::string type;
    for (const char* key : {"type", "serial_number", "valid_until"}) fields.require(key);
    fields.text("type", type, 32);
    if (type != "erase") fields.refuse("type", "must be \"erase\"");
    fields.text("serial_number", order.serial_number, 32);
    hex_text(fields, "certificate_serial", order.certificate_serial, 40);
    fields.integer("valid_until", order.valid_until, 0, far_future);
    hex_text(fields, "nonce", order.nonce, 32);
  }
  if (problem.found()) return std::unexpected(problem.sentence());
  return order;
}

// That the order's text is signed by a key that the authority certified for orders.
std::expected<void, std::string> check_signature(const Envelope& envelope, const x509::Certificate& authority,
                                                 UtcMs now) {
  const auto chain = x509::parse_chain_pem(envelope.certificates);
  if (!chain || chain->empty()) return std::unexpected("certificates: cannot be read");
  const auto good = x509::verify_chain(*chain, authority, now, x509::Purpose::Orders);
  if (!good) return std::unexpected(std::string("certificates: ") + good.error().text);
  const auto signature = from_base64(envelope.signature);
  if (!signature || !p256_verify(chain->front().public_key, bytes_of(signed_text(envelope.order)), *signature)) {
    return std::unexpected("signature: is not by the certificate's key");
  }
  return {};
}

}  // namespace

Result<std::string> make_erase_order(const EraseOrder& order, const std::vector<x509::Certificate>& chain,
                                     const x509::Signer& signer) {
  Json inner = Json::object();
  inner.set("type", "erase")
      .set("serial_number", order.serial_number)
      .set("certificate_serial", order.certificate_serial)
      .set("valid_until", order.valid_until)
      .set("nonce", order.nonce);
  const std::string text = inner.dump();
  const auto signature = signer.sign(sha256(bytes_of(signed_text(text))));
  ND_TRY(signature);
  std::string pem;
  for (const x509::Certificate& certificate : chain) pem += certificate.pem();
  Json outer = Json::object();
  outer.set("order", text).set("certificates", pem).set("signature", to_base64(*signature));
  return outer.dump();
}

std::expected<EraseOrder, std::string> check_erase_order(std::string_view text, const x509::Certificate& authority,
                                                         std::string_view serial_number,
                                                         std::string_view certificate_serial, UtcMs now) {
  const auto envelope = read_envelope(text);
  if (!envelope) return std::unexpected(envelope.error());
  if (auto good = check_signature(*envelope, authority, now); !good) return std::unexpected(good.error());
  auto order = read_order(envelope->order);
  if (!order) return order;
  if (order->serial_number != serial_number) return std::unexpected("order.serial_number: is another reader's");
  if (order->certificate_serial != certificate_serial) {
    return std::unexpected("order.certificate_serial: is not of the certificate that this reader has");
  }
  if (order->valid_until <= now) return std::unexpected("order.valid_until: is past");
  return order;
}

}  // namespace nightdrop::provisioning

#include "x509/certificate_file.hpp"

#include "nightdrop/durable_file.hpp"

namespace nightdrop::x509 {
namespace {

constexpr std::size_t text_max = 65'536;
constexpr mode_t public_mode = 0644;  // a certificate is no secret

}  // namespace

Result<std::string> read_text_file(const std::string& path) {
  return nightdrop::read_text_file(path, text_max);
}

Result<std::vector<Certificate>> read_chain_file(const std::string& path) {
  const auto text = read_text_file(path);
  if (!text) return std::unexpected(text.error());
  return parse_chain_pem(*text);
}

Result<void> replace_file(const std::string& path, std::string_view text) {
  return nightdrop::replace_file(path, text, public_mode);
}

}  // namespace nightdrop::x509

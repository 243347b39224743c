// A request's life in curl. The one thing to get right is begun_: it is set by curl's last call before the request is
// written, on new and reused connections alike, and is never unset.
#include "hal/linux/curl_transfer.hpp"

#include <algorithm>
#include <utility>

namespace nightdrop::hal {
namespace {

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}
bool is_field_value(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c == '\t' || (c >= ' ' && c != '\x7f'); });
}
bool is_path(std::string_view text) {
  return text.starts_with('/') && std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}
std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}
std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

bool CurlTransfer::add_header(std::string_view name, std::string_view value) {
  if (!is_token(name) || !is_field_value(value)) return false;
  // "Name;" is how curl is told of a header without a value; "Name:" would remove it.
  const std::string line = value.empty() ? std::string(name) + ";" : std::string(name) + ": " + std::string(value);
  curl_slist* longer = curl_slist_append(headers_.get(), line.c_str());
  if (longer == nullptr) return false;
  static_cast<void>(headers_.release());
  headers_.reset(longer);
  return true;
}

bool CurlTransfer::add_headers(const std::string& serial) {
  bool has_type = false;
  bool has_reader = serial.empty();
  for (const auto& [name, value] : request_.headers) {
    if (!add_header(name, value)) return false;
    const std::string known = lower(name);
    has_type = has_type || known == "content-type";
    has_reader = has_reader || known == "nightdrop-reader";
  }
  if (!has_reader && !add_header("Nightdrop-Reader", serial)) return false;
  // What curl adds by itself and the contract does not have.
  for (const char* unwanted : {"Expect:", has_type ? nullptr : "Content-Type:"}) {
    if (unwanted == nullptr) continue;
    curl_slist* longer = curl_slist_append(headers_.get(), unwanted);
    if (longer == nullptr) return false;
    static_cast<void>(headers_.release());
    headers_.reset(longer);
  }
  return true;
}

void CurlTransfer::set_tls(const TransferContext& context) {
  CURL* easy = easy_.get();
  const CurlHostLinkConfig& config = context.config;
  curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                   config.allow_tls_1_2 ? long{CURL_SSLVERSION_TLSv1_2} : long{CURL_SSLVERSION_TLSv1_3});
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);  // the distribution's store, else trusted beside ours
  curl_blob anchors{const_cast<char*>(config.ca_pem.data()), config.ca_pem.size(), CURL_BLOB_NOCOPY};
  curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &anchors);
  curl_easy_setopt(easy, CURLOPT_SHARE, context.tls_sessions);
  if (context.key != nullptr) {
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, &CurlTransfer::on_tls_context);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, const_cast<VaultTlsKey*>(context.key));
  }
}

bool CurlTransfer::prepare(const TransferContext& context) {
  easy_.reset(curl_easy_init());
  CURL* easy = easy_.get();
  if (easy == nullptr || !is_path(request_.path) || !is_token(request_.method) || !add_headers(context.config.serial))
    return false;

  curl_easy_setopt(easy, CURLOPT_URL, (context.config.base_url + request_.path).c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");  // the environment's is not ours
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a resolver that hangs is left behind, not waited for
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 60L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 15L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_2TLS});
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, context.http2_known ? 1L : 0L);
  const auto timeout = std::max<long>(1, static_cast<long>(request_.timeout.count()));  // 0 would be no limit
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout);
  if (!context.binding.interface.empty()) {
    curl_easy_setopt(easy, CURLOPT_INTERFACE, ("if!" + context.binding.interface).c_str());
  }
  if (context.connect_to != nullptr) curl_easy_setopt(easy, CURLOPT_CONNECT_TO, context.connect_to);

  if (request_.method == "POST") {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
  } else if (request_.method != "GET") {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
  if (request_.method == "POST" || !request_.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request_.body.data());
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &CurlTransfer::on_connected);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, this);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &CurlTransfer::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &CurlTransfer::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  set_tls(context);
  return true;
}

int CurlTransfer::on_connected(void* self, char* /*peer*/, char* /*own*/, int /*peer_port*/, int /*own_port*/) {
  static_cast<CurlTransfer*>(self)->begun_ = true;
  return CURL_PREREQFUNC_OK;
}

std::size_t CurlTransfer::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  const std::string_view line(data, size * count);
  transfer.header_bytes_ += line.size();
  if (transfer.header_bytes_ > reply_bytes_max) {
    transfer.reply_.too_long = true;
    return 0;
  }
  if (line.starts_with("HTTP/")) {  // what came before was an interim answer (1xx), or a first try's
    transfer.reply_.headers.clear();
    transfer.reply_.body.clear();
    return line.size();
  }
  const auto colon = line.find(':');
  if (colon != std::string_view::npos) {
    transfer.reply_.headers.emplace_back(lower(trimmed(line.substr(0, colon))), trimmed(line.substr(colon + 1)));
  }
  return line.size();
}

std::size_t CurlTransfer::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  const std::size_t length = size * count;
  std::string& body = transfer.reply_.body;
  const std::size_t room = reply_bytes_max - body.size();
  body.append(data, std::min(length, room));
  if (length <= room) return length;
  transfer.reply_.too_long = true;
  return 0;  // less than was given: curl ends the transfer
}

CURLcode CurlTransfer::on_tls_context(CURL* /*easy*/, void* context, void* key) {
  const auto used = static_cast<const VaultTlsKey*>(key)->use_in(static_cast<ssl_ctx_st*>(context));
  return used ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

HostOutcome CurlTransfer::outcome(CURLcode code) {
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  if ((code == CURLE_OK || reply_.too_long) && status >= 100) {
    reply_.status = static_cast<int>(status);
    return std::move(reply_);
  }
  const bool timed_out = code == CURLE_OPERATION_TIMEDOUT;
  const char* why = code == CURLE_OK ? "the answer was no HTTP" : curl_easy_strerror(code);
  if (begun_) return Unknown{why, timed_out};
  return NotSent{why, timed_out};
}

HostOutcome CurlTransfer::broken_off(const char* why) const {
  if (begun_) return Unknown{why, false};
  return NotSent{why, false};
}

bool CurlTransfer::spoke_http2() const {
  long version = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_HTTP_VERSION, &version);
  return version == CURL_HTTP_VERSION_2_0;
}

}  // namespace nightdrop::hal

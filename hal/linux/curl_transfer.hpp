// One request as a curl easy handle: how it is set up, what is collected of its answer, and what its end means. Shared
// by the files of CurlHostLink alone. Lives on the link's thread; stays where it is while curl works on it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <curl/curl.h>

#include "hal/linux/curl_host_link.hpp"
#include "hal/linux/vault_tls_key.hpp"

namespace nightdrop::hal {

// curl's handle types are all void*, so the deleters say which is which.
struct EasyFree {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct SlistFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct ShareFree {
  void operator()(CURLSH* share) const { curl_share_cleanup(share); }
};
using EasyPtr = std::unique_ptr<CURL, EasyFree>;
using SlistPtr = std::unique_ptr<curl_slist, SlistFree>;
using SharePtr = std::unique_ptr<CURLSH, ShareFree>;

// What all transfers of one route have in common.
struct TransferContext {
  const CurlHostLinkConfig& config;
  const VaultTlsKey* key;  // null: no client authentication
  const RouteBinding& binding;
  curl_slist* connect_to;  // null: none
  CURLSH* tls_sessions;    // so that a new connection may resume, and the vault need not sign again
  bool http2_known;        // the server has spoken HTTP/2 on this route: wait for its connection and multiplex
};

class CurlTransfer {
 public:
  CurlTransfer(HostRequest request, std::function<void(HostOutcome)> done)
      : request_(std::move(request)), done_(std::move(done)) {}
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  // Makes the handle. False: the request cannot be put on the wire as it is (a line break in a header, say).
  bool prepare(const TransferContext& context);
  CURL* easy() const { return easy_.get(); }
  Route route() const { return request_.route; }

  // What curl's end of the transfer means.
  HostOutcome outcome(CURLcode code);
  // What an end that is not curl's means: the route was dropped, or the link is being destroyed.
  HostOutcome broken_off(const char* why) const;
  bool spoke_http2() const;
  std::function<void(HostOutcome)> take_done() { return std::move(done_); }

 private:
  bool add_headers(const std::string& serial);
  void set_tls(const TransferContext& context);
  bool add_header(std::string_view name, std::string_view value);
  static int on_connected(void* self, char* peer, char* own, int peer_port, int own_port);
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  static CURLcode on_tls_context(CURL* easy, void* context, void* key);

  HostRequest request_;
  std::function<void(HostOutcome)> done_;
  SlistPtr headers_;
  EasyPtr easy_;  // after headers_: it goes first
  HostReply reply_;
  std::size_t header_bytes_{0};
  bool begun_{false};  // a byte of the request may have left
};

}  // namespace nightdrop::hal

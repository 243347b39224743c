// The link's thread. Commands come in through a queue and an eventfd; curl says by callbacks which sockets and which
// moment it waits for, and one epoll_wait waits for all of them, so an idle link costs nothing. A request has exactly
// one end: whoever takes its CurlTransfer out of its route's table posts the outcome.
#include "hal/linux/curl_host_link.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>
#include <unordered_map>
#include <utility>

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hal/linux/curl_transfer.hpp"

namespace nightdrop::hal {
namespace {

using TimePoint = std::chrono::steady_clock::time_point;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

constexpr std::uint64_t wake_tag = UINT64_MAX;

// What epoll hands back for a socket: its route and its number.
std::uint64_t tag(std::size_t route, int fd) {
  return std::uint64_t{route} << 32 | static_cast<std::uint32_t>(fd);
}

bool is_base_url(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), &curl_url_cleanup);
  if (parsed == nullptr || !url.starts_with("https://") || url.ends_with('/')) return false;
  return curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_DISALLOW_USER) == CURLUE_OK &&
         url.find_first_of("/?#", sizeof "https://" - 1) == std::string::npos;
}

}  // namespace

Result<std::string> read_pem_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return failure(Errc::NotFound, "the PEM file cannot be opened", errno);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || !text) return failure(Errc::Io, "the PEM file cannot be read");
  return text.str();
}

class CurlHostLink::Worker {
 public:
  Worker(CurlHostLinkConfig config, std::unique_ptr<VaultTlsKey> key, Post post)
      : config_(std::move(config)),
        post_(std::move(post)),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    keys_.push_back(std::move(key));
  }
  ~Worker() {
    if (!thread_.joinable()) return;
    command([this] { stopping_ = true; });
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  Result<void> start();
  void send(HostRequest request, std::function<void(HostOutcome)> done);
  void drop_route(Route route);
  void use_key(std::unique_ptr<VaultTlsKey> key);

 private:
  struct RouteState {
    Worker* worker{nullptr};
    std::size_t index{0};
    SharePtr tls_sessions;
    SlistPtr connect_to;
    CURLM* multi{nullptr};
    std::optional<TimePoint> timer;
    bool http2_known{false};
    bool outdated{false};  // its connections show a certificate that was replaced
    std::unordered_map<CURL*, std::unique_ptr<CurlTransfer>> transfers;
  };

  void command(std::function<void()> what);
  void run();
  void wait();
  bool open_multi(RouteState& route);
  void renew_when_idle(RouteState& route);
  void close_multi(RouteState& route, const char* why);
  void begin(std::unique_ptr<CurlTransfer> transfer);
  void collect(RouteState& route);
  void end(CurlTransfer& transfer, HostOutcome outcome);
  int wait_ms() const;
  static int on_socket(CURL* easy, curl_socket_t fd, int what, void* route, void* socket_data);
  static int on_timer(CURLM* multi, long timeout_ms, void* route);

  const CurlHostLinkConfig config_;
  std::vector<std::unique_ptr<VaultTlsKey>> keys_;  // the newest last; older ones live in older connections
  const Post post_;
  const Descriptor epoll_;
  const Descriptor wake_;
  std::array<RouteState, route_count> routes_{};  // of the thread alone once it runs
  bool stopping_{false};                          // of the thread alone
  std::mutex mutex_;
  std::vector<std::function<void()>> commands_;  // under mutex_
  std::thread thread_;
};

Result<void> CurlHostLink::Worker::start() {
  epoll_event wake{.events = EPOLLIN, .data = {.u64 = wake_tag}};
  if (epoll_.get() < 0 || wake_.get() < 0 || epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &wake) != 0) {
    return failure(Errc::Io, "the host link got no epoll set", errno);
  }
  for (std::size_t i = 0; i < route_count; ++i) {
    RouteState& route = routes_[i];
    route.worker = this;
    route.index = i;
    route.tls_sessions.reset(curl_share_init());
    curl_share_setopt(route.tls_sessions.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    if (!config_.routes[i].connect_to.empty()) {
      route.connect_to.reset(curl_slist_append(nullptr, ("::" + config_.routes[i].connect_to).c_str()));
    }
    if (route.tls_sessions == nullptr || !open_multi(route)) return failure(Errc::Io, "curl gave no handle");
  }
  // The thread takes no signals: those are the main thread's, and a write to a closed socket must not raise SIGPIPE.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return {};
}

void CurlHostLink::Worker::command(std::function<void()> what) {
  {
    const std::lock_guard lock(mutex_);
    commands_.push_back(std::move(what));
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);  // EAGAIN: it is awake already
}

void CurlHostLink::Worker::send(HostRequest request, std::function<void(HostOutcome)> done) {
  // A std::function must be copyable, so the transfer travels as a bare pointer; every command is run.
  auto* transfer = new CurlTransfer(std::move(request), std::move(done));
  command([this, transfer] { begin(std::unique_ptr<CurlTransfer>(transfer)); });
}

void CurlHostLink::Worker::drop_route(Route route) {
  command([this, route] {
    RouteState& state = routes_[static_cast<std::size_t>(route)];
    close_multi(state, "the link went down");
    ND_ASSERT(open_multi(state));
  });
}

void CurlHostLink::Worker::use_key(std::unique_ptr<VaultTlsKey> key) {
  auto* const made = key.release();  // as a transfer does
  command([this, made] {
    keys_.emplace_back(made);
    for (RouteState& route : routes_) {
      route.outdated = true;
      renew_when_idle(route);
    }
  });
}

// Closes the connections that show an older certificate, and forgets the sessions that would bring it back.
void CurlHostLink::Worker::renew_when_idle(RouteState& route) {
  if (!route.outdated || !route.transfers.empty()) return;
  route.outdated = false;
  close_multi(route, "the certificate was replaced");
  SharePtr sessions(curl_share_init());
  ND_ASSERT(sessions != nullptr);
  curl_share_setopt(sessions.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  route.tls_sessions = std::move(sessions);
  ND_ASSERT(open_multi(route));
}

bool CurlHostLink::Worker::open_multi(RouteState& route) {
  route.multi = curl_multi_init();
  if (route.multi == nullptr) return false;
  curl_multi_setopt(route.multi, CURLMOPT_SOCKETFUNCTION, &Worker::on_socket);
  curl_multi_setopt(route.multi, CURLMOPT_SOCKETDATA, &route);
  curl_multi_setopt(route.multi, CURLMOPT_TIMERFUNCTION, &Worker::on_timer);
  curl_multi_setopt(route.multi, CURLMOPT_TIMERDATA, &route);
  curl_multi_setopt(route.multi, CURLMOPT_PIPELINING, long{CURLPIPE_MULTIPLEX});
  curl_multi_setopt(route.multi, CURLMOPT_MAXCONNECTS, config_.connections_max);
  curl_multi_setopt(route.multi, CURLMOPT_MAX_HOST_CONNECTIONS, config_.connections_max);
  return true;
}

// Ends what is in flight on the route and closes all its connections.
void CurlHostLink::Worker::close_multi(RouteState& route, const char* why) {
  collect(route);  // what curl has already ended, ends as curl says
  auto transfers = std::exchange(route.transfers, {});
  for (auto& [easy, transfer] : transfers) {
    curl_multi_remove_handle(route.multi, easy);
    end(*transfer, transfer->broken_off(why));
  }
  transfers.clear();
  curl_multi_cleanup(route.multi);
  route.multi = nullptr;
  route.timer.reset();
}

void CurlHostLink::Worker::begin(std::unique_ptr<CurlTransfer> transfer) {
  RouteState& route = routes_[static_cast<std::size_t>(transfer->route())];
  const TransferContext context{config_,
                                keys_.back().get(),
                                config_.routes[route.index],
                                route.connect_to.get(),
                                route.tls_sessions.get(),
                                route.http2_known};
  if (stopping_) return end(*transfer, NotSent{"the host link is ending"});
  if (!transfer->prepare(context)) return end(*transfer, NotSent{"the request cannot be written"});
  CURL* easy = transfer->easy();
  CurlTransfer& placed = *route.transfers.emplace(easy, std::move(transfer)).first->second;
  if (curl_multi_add_handle(route.multi, easy) != CURLM_OK) {
    end(placed, NotSent{"curl took no request"});
    route.transfers.erase(easy);
  }
}

void CurlHostLink::Worker::collect(RouteState& route) {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(route.multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;  // the message goes with the handle
    auto node = route.transfers.extract(easy);
    curl_multi_remove_handle(route.multi, easy);
    ND_ASSERT(!node.empty());
    CurlTransfer& transfer = *node.mapped();
    if (transfer.spoke_http2()) route.http2_known = true;
    end(transfer, transfer.outcome(code));
  }
}

void CurlHostLink::Worker::end(CurlTransfer& transfer, HostOutcome outcome) {
  post_([done = transfer.take_done(), result = std::move(outcome)]() mutable { done(std::move(result)); });
}

int CurlHostLink::Worker::on_socket(CURL* /*easy*/, curl_socket_t fd, int what, void* route_state,
                                    void* /*socket_data*/) {
  const auto& route = *static_cast<RouteState*>(route_state);
  const int epoll = route.worker->epoll_.get();
  epoll_event event{};
  event.data.u64 = tag(route.index, fd);
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event);
    return 0;
  }
  if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
  if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) != 0 && errno == ENOENT) epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  return 0;
}

int CurlHostLink::Worker::on_timer(CURLM* /*multi*/, long timeout_ms, void* route_state) {
  auto& route = *static_cast<RouteState*>(route_state);
  route.timer.reset();
  if (timeout_ms >= 0) route.timer = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  return 0;
}

int CurlHostLink::Worker::wait_ms() const {
  std::optional<TimePoint> next;
  for (const RouteState& route : routes_) {
    if (route.timer && (!next || *route.timer < *next)) next = route.timer;
  }
  if (!next) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::max<std::int64_t>(0, left));
}

void CurlHostLink::Worker::wait() {
  std::array<epoll_event, 32> events;
  const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms());
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == wake_tag) {
      std::uint64_t drained = 0;
      [[maybe_unused]] const ssize_t got = read(wake_.get(), &drained, sizeof drained);
      continue;
    }
    int mask = 0;
    if ((event.events & EPOLLIN) != 0) mask |= CURL_CSELECT_IN;
    if ((event.events & EPOLLOUT) != 0) mask |= CURL_CSELECT_OUT;
    if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) mask |= CURL_CSELECT_ERR;
    int running = 0;
    RouteState& route = routes_[event.data.u64 >> 32];
    curl_multi_socket_action(route.multi, static_cast<curl_socket_t>(event.data.u64 & UINT32_MAX), mask, &running);
  }
}

void CurlHostLink::Worker::run() {
  while (!stopping_) {
    wait();
    std::vector<std::function<void()>> commands;
    {
      const std::lock_guard lock(mutex_);
      commands.swap(commands_);
    }
    for (auto& what : commands) what();
    const TimePoint now = std::chrono::steady_clock::now();
    for (RouteState& route : routes_) {
      if (route.timer && *route.timer <= now) {
        route.timer.reset();
        int running = 0;
        curl_multi_socket_action(route.multi, CURL_SOCKET_TIMEOUT, 0, &running);
      }
      collect(route);
      renew_when_idle(route);
    }
  }
  for (RouteState& route : routes_) close_multi(route, "the host link is ending");
}

CurlHostLink::CurlHostLink(std::unique_ptr<Worker> worker, KeyVault& vault)
    : worker_(std::move(worker)), vault_(vault) {}
CurlHostLink::~CurlHostLink() = default;

Result<std::unique_ptr<CurlHostLink>> CurlHostLink::create(CurlHostLinkConfig config, KeyVault& vault, Post post) {
  // Once a process, and never undone: other users of libcurl may be left.
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK || (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_SSL) == 0) {
    return failure(Errc::Unsupported, "this libcurl has no TLS");
  }
  if (!is_base_url(config.base_url))
    return failure(Errc::InvalidArgument, "the acquirer's URL is not https://host[:port]");
  if (!holds_certificates(config.ca_pem))
    return failure(Errc::InvalidArgument, "the acquirer's CA is no PEM certificate");
  if (config.connections_max < 1) return failure(Errc::InvalidArgument, "a route needs at least one connection");
  std::unique_ptr<VaultTlsKey> key;
  if (!config.client_cert_pem.empty()) {
    auto made = VaultTlsKey::create(config.client_cert_pem, vault);
    if (!made) return std::unexpected(made.error());
    key = std::move(*made);
  }
  auto worker = std::make_unique<Worker>(std::move(config), std::move(key), std::move(post));
  if (auto started = worker->start(); !started) return std::unexpected(started.error());
  return std::unique_ptr<CurlHostLink>(new CurlHostLink(std::move(worker), vault));
}

void CurlHostLink::send(HostRequest request, std::function<void(HostOutcome)> done) {
  worker_->send(std::move(request), std::move(done));
}
void CurlHostLink::drop_route(Route route) {
  worker_->drop_route(route);
}

Result<void> CurlHostLink::use_certificate(const std::string& client_cert_pem) {
  auto key = VaultTlsKey::create(client_cert_pem, vault_);
  if (!key) return std::unexpected(key.error());
  worker_->use_key(std::move(*key));
  return {};
}

}  // namespace nightdrop::hal

// The acquirer's admin API, plain HTTP over loopback. The one file of the story that knows the HTTP library.
#include <httplib.h>

#include "simulator/story/shop.hpp"

namespace nightdrop::simulator {

Json admin_request(const std::string& address, const char* method, const std::string& path, std::string_view body) {
  httplib::Client client("http://" + address);
  client.set_connection_timeout(5);
  client.set_read_timeout(10);
  const auto answer =
      std::string_view(method) == "POST" ? client.Post(path, std::string(body), "application/json") : client.Get(path);
  if (!answer || answer->status != 200)
    throw StoryFailure("the acquirer's admin API refused " + path + (answer ? ": " + answer->body : ""));
  auto json = Json::parse(answer->body);
  if (!json) throw StoryFailure("the acquirer's admin API gave no JSON");
  return std::move(*json);
}

}  // namespace nightdrop::simulator

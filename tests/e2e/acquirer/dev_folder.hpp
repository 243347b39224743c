// The acquirer's folder for a test, made on the spot in a directory that is removed again: a CA, the server's
// certificate for 127.0.0.1, readers' certificates and keys.json. Also a raw TLS exchange, to see the bytes that really
// came.
#pragma once

#include <string>

namespace nightdrop::e2e {

class DevFolder {
 public:
  DevFolder();
  ~DevFolder();
  DevFolder(const DevFolder&) = delete;
  DevFolder& operator=(const DevFolder&) = delete;

  // Makes a certificate and key `name`.pem and `name`.key signed by the CA; a registered one is in readers/ as well.
  void add_reader(const std::string& name, bool registered);

  const std::string& path() const { return path_; }
  std::string certificate(const std::string& name) const { return path_ + "/" + name + ".pem"; }
  std::string key(const std::string& name) const { return path_ + "/" + name + ".key"; }
  std::string authority() const { return path_ + "/ca.pem"; }
  std::string ledger() const { return path_ + "/ledger.jsonl"; }

 private:
  std::string path_;
};

inline constexpr const char* bdk_hex = "FEDCBA9876543210F1F1F1F1F1F1F1F1";  // X9.24-3's test BDK
inline constexpr const char* bdk_id_hex = "12345678";

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& text);

// Sends bytes over TLS as a reader and gives all bytes that come back until the connection ends. Says "no handshake"
// where TLS did not come about.
std::string raw_exchange(const DevFolder& folder, const std::string& reader, int port, const std::string& request);

}  // namespace nightdrop::e2e

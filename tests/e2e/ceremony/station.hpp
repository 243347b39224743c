// A station's folder for one test, and the real binary run in it.
#pragma once

#include <string>
#include <vector>

#include <sys/stat.h>

#include <gmock/gmock.h>

#include "crypto/tr31.hpp"
#include "e2e/provision/program.hpp"
#include "json/json.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::test {

using Bytes = std::vector<std::uint8_t>;

inline const std::string provision = std::string(NIGHTDROP_BIN_DIR) + "/nightdrop-provision";

inline std::string check_value(const Bytes& key) {
  return hex_upper(tr31::check_value_cmac(key).value());
}

inline Bytes exclusive_or(Bytes a, const Bytes& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] ^= b[i];
  return a;
}

// In memory where there is such a folder: each step of a ceremony is synced, and what a sync is worth is not tested
// here.
class Folder {
 public:
  Folder() {
    const bool in_memory = ::access("/dev/shm", W_OK) == 0;
    std::string name = std::string(in_memory ? "/dev/shm" : "/tmp") + "/nightdrop-ceremony-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

class CeremonyStation {
 public:
  CeremonyStation() {
    write_private("pin", "12345678\n");
    write_private("so", "87654321\n");
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string station() const { return path("station"); }
  std::string file(const std::string& name) const { return station() + "/" + name; }

  std::string write_private(const std::string& name, const std::string& text) const {
    spill(path(name), text);
    ::chmod(path(name).c_str(), 0600);
    return path(name);
  }
  // A component's file as `ceremony import` reads it.
  std::string component(const std::string& name, const Bytes& key, const std::string& value = "") const {
    return write_private(name, hex_lower(key) + "\n" + (value.empty() ? check_value(key) : value) + "\n");
  }

  Ended hsm_init() const {
    return run(provision, {"hsm", "init", "--station", station(), "--softhsm", "--pin-file", path("pin"),
                           "--so-pin-file", path("so"), "--operator", "anna"});
  }
  Ended ceremony(const std::string& command, std::vector<std::string> options = {},
                 const std::string& input = "") const {
    std::vector<std::string> words{"ceremony", command, "--station", station()};
    words.insert(words.end(), options.begin(), options.end());
    return run(provision, words, input);
  }
  // Components in files, under dual control, of a key.
  Ended import(const std::string& key, const std::vector<Bytes>& parts, std::vector<std::string> more = {}) const {
    const std::vector<std::string> names{"anna", "bert", "carla"};
    std::vector<std::string> options{"--key", key, "--components", std::to_string(parts.size())};
    Bytes whole(parts.front().size());
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const std::string name = "component-" + std::to_string(i + 1);
      options.insert(options.end(), {"--custodian", names[i], "--component-file", component(name, parts[i])});
      whole = exclusive_or(whole, parts[i]);
    }
    options.insert(options.end(), {"--check-value", check_value(whole)});
    options.insert(options.end(), more.begin(), more.end());
    return ceremony("import", options);
  }
  // The keys that `show` lists, by name.
  std::vector<std::string> keys() const {
    std::vector<std::string> names;
    const auto document = Json::parse(ceremony("show", {"--json"}).out);
    if (!document) return names;
    for (const JsonView key : (*document)["keys"].items()) names.emplace_back(key["key"].string().value_or(""));
    return names;
  }
  // A member of what `show` says of a key.
  std::string shown(const std::string& key, const std::string& member) const {
    const auto document = Json::parse(ceremony("show", {"--json"}).out);
    if (!document) return "";
    for (const JsonView row : (*document)["keys"].items()) {
      if (row["key"].string() == key) return row[member].dump();
    }
    return "";
  }

 private:
  Folder folder_;
};

// With an HSM and all keys.
class MadeStation : public CeremonyStation {
 public:
  explicit MadeStation(const std::string& key_type = "aes-128") {
    const Ended hsm = hsm_init();
    EXPECT_EQ(hsm.exit_code, 0) << hsm.err;
    const Ended made = ceremony("init", {"--merchant", "m_0001", "--key-type", key_type, "--operator", "anna"});
    EXPECT_EQ(made.exit_code, 0) << made.err;
  }
};

}  // namespace nightdrop::test

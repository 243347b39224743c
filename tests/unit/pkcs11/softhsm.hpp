// A SoftHSM of a test program's own: one folder for the process (SoftHSM reads its configuration once), and as many
// tokens in it as tests ask for.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <stdlib.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "pkcs11/token.hpp"

namespace nightdrop::test {

inline SecretBytes secret(std::string_view text) {
  return SecretBytes({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

class SoftHsm {
 public:
  SoftHsm() {
    // In memory where there is such a folder: every change is synced, and what a sync is worth is not tested here.
    const bool in_memory = ::access("/dev/shm", W_OK) == 0;
    const auto under = in_memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path();
    std::string name = (under / "nightdrop-softhsm-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    if (!pkcs11::use_softhsm_folder(path_.string())) std::abort();
  }
  SoftHsm(const SoftHsm&) = delete;
  SoftHsm& operator=(const SoftHsm&) = delete;
  ~SoftHsm() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }

  // A fresh token with officer's PIN 87654321 and user's PIN 12345678.
  pkcs11::TokenLocation make_token() {
    const pkcs11::TokenLocation where{pkcs11::softhsm_module, "test-" + std::to_string(++tokens_)};
    const auto made = pkcs11::Token::initialise(where, secret("87654321"), secret("12345678"));
    if (!made) ADD_FAILURE() << made.error().text;
    return where;
  }
  std::unique_ptr<pkcs11::Token> make_open_token() {
    auto token = pkcs11::Token::open(make_token(), secret("12345678"));
    if (!token) {
      ADD_FAILURE() << token.error().text;
      return nullptr;
    }
    return std::move(*token);
  }

 private:
  std::filesystem::path path_;
  int tokens_{0};
};

inline SoftHsm& soft_hsm() {
  static SoftHsm one;
  return one;
}

}  // namespace nightdrop::test

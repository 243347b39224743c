// What every backend of the vault is held to is written once; this is what differs between them: where the root of
// trust is, and whether a mark outside of the disk finds out a copy of the whole disk. Also the host's side: keys and
// blocks.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "crypto/sealed_key_vault.hpp"
#include "crypto/tr31.hpp"
#include "crypto/vault_maker.hpp"
#include "nightdrop/encoding.hpp"
#include "unit/pkcs11/softhsm.hpp"

namespace nightdrop::test {

namespace fs = std::filesystem;

enum class Backend : std::uint8_t { Files, Credential, Token };

inline std::string name_of(const testing::TestParamInfo<Backend>& info) {
  switch (info.param) {
    case Backend::Files: return "Files";
    case Backend::Credential: return "Credential";
    case Backend::Token: return "Token";
  }
  return "";
}

inline void write_private(const fs::path& file, std::string_view text) {
  std::ofstream(file, std::ios::binary) << text;
  ::chmod(file.c_str(), 0400);
}

inline constexpr dukpt::InitialKeyId first_id{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56};

class VaultBackend : public testing::TestWithParam<Backend> {
 protected:
  VaultBackend() {
    std::string pattern = (fs::temp_directory_path() / "nightdrop-vault-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    dir_ = root_ / "vault";
    fs::create_directory(root_ / "credentials");
    if (GetParam() == Backend::Credential) {
      write_private(root_ / "credentials" / "reader-root", std::string(32, '\x5C'));
      ::setenv("CREDENTIALS_DIRECTORY", (root_ / "credentials").c_str(), 1);
      settings_.root_credential = "reader-root";
    }
    if (GetParam() == Backend::Token) {
      const pkcs11::TokenLocation where = soft_hsm().make_token();
      write_private(root_ / "pin", "12345678\n");
      settings_.kind = RootSettings::Kind::Pkcs11;
      settings_.module = where.module;
      settings_.token_label = where.token_label;
      settings_.pin_file = (root_ / "pin").string();
    }
  }
  ~VaultBackend() override {
    ::unsetenv("CREDENTIALS_DIRECTORY");
    fs::remove_all(root_);
  }

  bool keeps_mark() const { return GetParam() == Backend::Token; }

  static SecretBytes initial_key(const dukpt::InitialKeyId& id) {
    return dukpt::derive_initial_key(std::vector<std::uint8_t>(16, 0x77), id).value();
  }
  static VaultContents contents() {
    VaultContents made;
    made.initial_key = initial_key(first_id);
    made.initial_key_id = first_id;
    made.fingerprint_key = SecretBytes(bytes_of("a merchant's fingerprint key"));
    made.queue_key = SecretBytes(std::vector<std::uint8_t>(32, 0xC3));
    return made;
  }
  void make() const { ASSERT_TRUE(make_vault(dir_, contents(), settings_)); }
  Result<std::unique_ptr<SealedKeyVault>> open() const {
    return SealedKeyVault::open(dir_, [](std::function<void()> run) { run(); }, settings_);
  }
  std::unique_ptr<SealedKeyVault> resumed(const hal::QueueMarks& queue = {},
                                          hal::Older accepted = hal::Older::Refuse) const {
    auto vault = open();
    EXPECT_TRUE(vault) << vault.error().text;
    const auto done = (*vault)->resume(queue, accepted);
    EXPECT_TRUE(done) << done.error().text;
    return std::move(*vault);
  }
  // Seals once and gives the KSN that was spent.
  static Ksn spend(SealedKeyVault& vault) {
    const auto envelope = vault.seal_card(bytes_of("card"), "aad", {}, {});
    EXPECT_TRUE(envelope) << envelope.error().text;
    return envelope ? envelope->ksn : Ksn{};
  }
  // What a queue holds that has committed the vault's marks and come to this event.
  static hal::QueueMarks committed(const SealedKeyVault& vault, std::uint64_t journal_seq) {
    const hal::VaultMarks marks = vault.marks();
    return {marks.initial_key_id, marks.counter, journal_seq, marks.generation, false};
  }
  // The host's block with the initial key of `next`, for a reader whose initial key is that of `present`.
  static std::string block_for(const dukpt::InitialKeyId& present, const dukpt::InitialKeyId& next) {
    const auto update_key =
        dukpt::derive_working_key(initial_key(present).view(), dukpt::make_ksn(present, dukpt::update_key_counter),
                                  dukpt::Usage::KeyEncryption, dukpt::KeyKind::Aes128);
    const auto key = initial_key(next);
    return tr31::wrap(update_key->view(), tr31::make_initial_key_header(next, key.view()).value(), key.view()).value();
  }
  static dukpt::InitialKeyId numbered_id(std::uint8_t number) {
    dukpt::InitialKeyId id = first_id;
    id[7] = number;
    return id;
  }

  // The vault's directory as it is now, kept under a name; and that copy put in its place. Requires: no vault open.
  void keep(const std::string& name) const {
    fs::remove_all(root_ / name);
    fs::copy(dir_, root_ / name, fs::copy_options::recursive);
  }
  void restore(const std::string& name) const {
    fs::remove_all(dir_);
    fs::copy(root_ / name, dir_, fs::copy_options::recursive);
  }

  fs::path root_, dir_;
  RootSettings settings_;
};

}  // namespace nightdrop::test

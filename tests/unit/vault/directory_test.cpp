// What the vault's directory promises of a file that is destroyed: its bytes go, not only its name. Held as the user
// that a daemon has, who may not write to a file of mode 0400; root may, and would see nothing.
#include "crypto/vault_directory.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

namespace nightdrop::test {
namespace {

namespace fs = std::filesystem;

constexpr uid_t nobody = 65'534;

// A folder of its own, and for as long as it lives a user without privileges.
class PlainUser {
 public:
  PlainUser() {
    std::string pattern = (fs::temp_directory_path() / "nightdrop-directory-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    if (::geteuid() != 0) return;
    EXPECT_EQ(::chown(folder_.c_str(), nobody, static_cast<gid_t>(-1)), 0);
    EXPECT_EQ(::seteuid(nobody), 0);
  }
  ~PlainUser() {
    if (::getuid() == 0) {
      EXPECT_EQ(::seteuid(0), 0);
    }
    fs::remove_all(folder_);
  }
  PlainUser(const PlainUser&) = delete;
  PlainUser& operator=(const PlainUser&) = delete;
  const fs::path& folder() const { return folder_; }

 private:
  fs::path folder_;
};

TEST(VaultDirectoryTest, DestroysTheBytesOfAFileThatItsOwnerMayOnlyRead) {
  const PlainUser user;
  const auto directory = VaultDirectory::open(user.folder());
  ASSERT_TRUE(directory);
  const std::vector<std::uint8_t> key(32, 0x5C);
  ASSERT_TRUE(directory->replace("root.key", key, 0400));
  ASSERT_EQ(::eaccess((user.folder() / "root.key").c_str(), W_OK), -1) << "the user has privileges";
  const fs::path block = user.folder() / "the same block under another name";
  fs::create_hard_link(user.folder() / "root.key", block);

  ASSERT_TRUE(directory->destroy("root.key"));
  EXPECT_FALSE(directory->has("root.key"));
  std::ifstream file(block, std::ios::binary);
  const std::string left(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(left, std::string(32, '\0'));
}

}  // namespace
}  // namespace nightdrop::test

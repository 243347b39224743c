// The vault's promises: no counter value twice, whatever is lost; no spent key on the disk; no file that was changed.
#include "crypto/sealed_key_vault.hpp"

#include <algorithm>
#include <fstream>
#include <future>
#include <set>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/envelope.hpp"
#include "crypto/primitives.hpp"
#include "crypto/root_of_trust.hpp"
#include "crypto/vault_maker.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop {
namespace {

namespace fs = std::filesystem;
constexpr dukpt::InitialKeyId id{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56};

class VaultTest : public testing::Test {
 protected:
  VaultTest() {
    std::string pattern = (fs::temp_directory_path() / "nightdrop-vault-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    dir_ = root_ / "vault";
  }
  ~VaultTest() override { fs::remove_all(root_); }

  VaultContents contents() const {
    VaultContents made;
    made.initial_key = dukpt::derive_initial_key(bdk_, id).value();
    made.initial_key_id = id;
    made.fingerprint_key = SecretBytes(bytes_of("a merchant's fingerprint key"));
    return made;
  }
  void create() { ASSERT_TRUE(make_vault(dir_, contents())); }
  Result<std::unique_ptr<SealedKeyVault>> open() const {
    return SealedKeyVault::open(dir_, [](std::function<void()> run) { run(); });
  }
  // What a queue has committed that knows the counter and nothing else.
  static hal::QueueMarks committed(std::uint32_t counter, bool queue_was_lost = false) {
    hal::QueueMarks queue;
    queue.counter = counter;
    queue.queue_was_lost = queue_was_lost;
    return queue;
  }
  std::unique_ptr<SealedKeyVault> resumed(std::uint32_t counter, bool queue_was_lost = false) const {
    auto vault = open();
    EXPECT_TRUE(vault);
    EXPECT_TRUE((*vault)->resume(committed(counter, queue_was_lost), hal::Older::Refuse));
    return std::move(*vault);
  }
  // Seals once and gives the counter value that was spent.
  static std::uint32_t spend(SealedKeyVault& vault) {
    const auto envelope = vault.seal_card(bytes_of("card"), "aad", {}, {});
    EXPECT_TRUE(envelope);
    EXPECT_EQ(vault.marks().counter, dukpt::transaction_counter(envelope->ksn));
    return vault.marks().counter;
  }
  // The clear contents of a file, read as the vault itself would. Requires: no vault open.
  std::string unsealed(const char* role) const {
    const auto directory = VaultDirectory::open_locked(dir_);
    const auto root = open_root(*directory, {});
    const auto clear = read_sealed(*directory, **root, role);
    EXPECT_TRUE(clear) << role;
    return hex_lower(clear->view());
  }
  // A file as a power cut would leave it now. A vault at work may replace it, and wipes what it replaced: then again.
  std::string bytes_on_disk(const char* name) const {
    while (true) {
      const int file = ::open((dir_ / name).c_str(), O_RDONLY | O_CLOEXEC);
      if (file < 0) return "";
      std::string bytes(8192, '\0');
      const ssize_t got = ::read(file, bytes.data(), bytes.size());
      struct stat facts{};
      const bool current = ::fstat(file, &facts) == 0 && facts.st_nlink == 1;
      ::close(file);
      bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
      if (current) return bytes;
    }
  }

  std::vector<std::uint8_t> bdk_ = std::vector<std::uint8_t>(16, 0x77);
  fs::path root_, dir_;
};

TEST_F(VaultTest, SealsWhatTheHostOpens) {
  create();
  const auto vault = resumed(0);
  const auto envelope = vault->seal_card(bytes_of("card"), "aad", bytes_of("4711"), bytes_of("4242424242424242"));
  ASSERT_TRUE(envelope);
  EXPECT_EQ(vault->marks().counter, 1u);
  EXPECT_TRUE(std::ranges::equal(open_envelope(bdk_, *envelope, "aad")->view(), bytes_of("card")));
  EXPECT_TRUE(
      std::ranges::equal(open_envelope_pin(bdk_, *envelope, bytes_of("4242424242424242"))->view(), bytes_of("4711")));
  EXPECT_EQ(vault->initial_key_id(), id);
  EXPECT_EQ(vault->key_type(), KeyType::Aes128);
  EXPECT_EQ(vault->fingerprint(bytes_of("4242")).value(),
            card_fingerprint(bytes_of("a merchant's fingerprint key"), bytes_of("4242")));
}

TEST_F(VaultTest, FilesArePrivateAndHoldNothingClear) {
  auto made = contents();
  made.queue_key = SecretBytes(std::vector<std::uint8_t>(32, 0xC3));
  ASSERT_TRUE(make_vault(dir_, made));
  struct stat facts{};
  ASSERT_EQ(::stat(dir_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0700U);
  ASSERT_EQ(::stat((dir_ / "root.key").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0400U);
  EXPECT_EQ(facts.st_size, 32);
  EXPECT_EQ(bytes_on_disk("queue_key").find(std::string(8, '\xC3')), std::string::npos);
  EXPECT_EQ(unsealed("queue_key"), hex_lower(made.queue_key.view()));
  const auto vault = open().value();
  ASSERT_TRUE(vault->with_queue_key([](std::span<const std::uint8_t, 32> key) -> Result<void> {
    EXPECT_TRUE(std::ranges::all_of(key, [](std::uint8_t byte) { return byte == 0xC3; }));
    return {};
  }));
}

TEST_F(VaultTest, CreateRefusesWhatIsWrong) {
  auto made = contents();
  made.fingerprint_key = SecretBytes(4);
  EXPECT_EQ(make_vault(dir_, made).error().code, Errc::InvalidArgument);
  made = contents();
  made.queue_key = SecretBytes(31);
  EXPECT_EQ(make_vault(dir_, made).error().code, Errc::InvalidArgument);
  made = contents();
  made.initial_key = SecretBytes(17);
  EXPECT_EQ(make_vault(dir_, made).error().code, Errc::InvalidArgument);
  EXPECT_FALSE(fs::exists(dir_));
  create();
  EXPECT_EQ(make_vault(dir_, contents()).error().code, Errc::Conflict);
}

TEST_F(VaultTest, CreationThatWasCutOffIsMadeAgain) {
  create();
  fs::remove(dir_ / "marks");  // written last
  EXPECT_EQ(open().error().code, Errc::NotFound);
  create();
  EXPECT_TRUE(open());
}

TEST_F(VaultTest, IsOneOwnersAlone) {
  create();
  auto vault = open();
  ASSERT_TRUE(vault);
  EXPECT_EQ(open().error().code, Errc::Busy);
  vault->reset();
  EXPECT_TRUE(open());
}

TEST_F(VaultTest, RootKeyThatOthersCanReadIsRefused) {
  create();
  ASSERT_EQ(::chmod((dir_ / "root.key").c_str(), 0440), 0);
  EXPECT_EQ(open().error().code, Errc::InvalidArgument);
}

TEST_F(VaultTest, ChangedOrSwappedFilesAreRefused) {
  create();
  for (const char* name : {"queue_key", "identity", "fingerprint", "dukpt", "marks"}) {
    const std::string whole = bytes_on_disk(name);
    for (const std::size_t position : {std::size_t{0}, std::size_t{5}, whole.size() / 2, whole.size() - 1}) {
      std::string damaged = whole;
      damaged[position] = static_cast<char>(damaged[position] ^ 1);
      std::ofstream(dir_ / name, std::ios::binary) << damaged;
      EXPECT_EQ(open().error().code, Errc::WrongKey) << name << position;
    }
    std::ofstream(dir_ / name, std::ios::binary) << whole.substr(0, whole.size() / 2);
    EXPECT_EQ(open().error().code, Errc::WrongKey) << name;
    std::ofstream(dir_ / name, std::ios::binary) << whole;
    EXPECT_TRUE(open());
  }
  // Both are 32 sealed bytes under the same key: the AAD tells them apart.
  const std::string queue_key = bytes_on_disk("queue_key");
  std::ofstream(dir_ / "identity", std::ios::binary) << queue_key;
  EXPECT_EQ(open().error().code, Errc::WrongKey);
}

TEST_F(VaultTest, LeftoversOfAPowerCutAreNotRead) {
  create();
  std::ofstream(dir_ / "dukpt.new", std::ios::binary) << "half a fi";
  const auto vault = resumed(0);
  EXPECT_FALSE(fs::exists(dir_ / "dukpt.new"));
  EXPECT_EQ(spend(*vault), 1u);
}

TEST_F(VaultTest, SealsOnlyAfterItWasToldWhatIsCommitted) {
  create();
  const auto vault = open().value();
  EXPECT_EQ(vault->seal_card(bytes_of("card"), "aad", {}, {}).error().code, Errc::Unavailable);
}

// The process dies at any moment: the vault's file is as old as its last write, the queue has committed everything.
TEST_F(VaultTest, GoesOnAfterTheQueuesCounter) {
  create();
  const std::string old_file = bytes_on_disk("dukpt");
  std::set<std::uint32_t> seen;
  std::uint32_t committed = 0;
  for (int start = 0; start < 5; ++start) {
    const auto vault = resumed(committed);
    EXPECT_GE(vault->marks().counter, committed);
    for (int i = 0; i < 40; ++i) {
      committed = spend(*vault);
      EXPECT_TRUE(seen.insert(committed).second) << committed;
    }
  }
  EXPECT_EQ(seen.size(), 200u);
  // A start skips what may have been spent unseen: no more than the ceiling runs ahead.
  EXPECT_LE(*seen.rbegin(), 200u + 5 * 130u);
  // A file from an older backup changes nothing.
  std::ofstream(dir_ / "dukpt", std::ios::binary) << old_file;
  EXPECT_GT(spend(*resumed(committed)), committed);
}

TEST_F(VaultTest, AFileAheadOfTheQueueIsNotTurnedBack) {
  create();
  {
    const auto vault = resumed(0);
    for (int i = 0; i < 10; ++i) spend(*vault);
    vault->erase_spent_keys(0);
    ASSERT_TRUE(vault->flush());
  }
  const auto vault = resumed(7);  // three were sealed and never committed
  EXPECT_GE(vault->marks().counter, 10u);
  EXPECT_GT(spend(*vault), 10u);
}

// The queue was rolled back, or lost its last turns without a sign: what left the box since is not spent again.
TEST_F(VaultTest, AQueueThatForgotDoesNotLeadBack) {
  create();
  std::uint32_t last = 0;
  {
    const auto vault = resumed(0);
    for (int i = 0; i < 20; ++i) last = spend(*vault);
  }
  EXPECT_GT(spend(*resumed(3)), last);
}

// Whatever the file says when the queue is lost, nothing that may have been spent is spent again.
TEST_F(VaultTest, NoValueTwiceWhenTheQueueIsLostAtAnyMoment) {
  create();
  std::set<std::uint32_t> seen;
  for (int start = 0; start < 8; ++start) {
    std::string file_at_crash;
    {
      const auto vault = resumed(0, true);
      const int spent = start * 23 % 150;
      const int cut = spent / 2;
      for (int i = 0; i < spent; ++i) {
        EXPECT_TRUE(seen.insert(spend(*vault)).second);
        // What would be on the disk if the power went right after this seal.
        if (i >= cut) file_at_crash = bytes_on_disk("dukpt");
      }
    }
    if (!file_at_crash.empty()) std::ofstream(dir_ / "dukpt", std::ios::binary) << file_at_crash;
  }
}

TEST_F(VaultTest, NeverSpendsAboveTheCeilingOnTheDisk) {
  create();
  const auto vault = resumed(0);
  for (int i = 0; i < 300; ++i) {
    const std::uint32_t spent = spend(*vault);
    if (i % 16 != 0) continue;
    // The file as a power cut would leave it, opened elsewhere with its queue lost.
    const fs::path copy = root_ / "copy";
    fs::remove_all(copy);
    fs::create_directory(copy);
    for (const char* name : {"root.key", "queue_key", "identity", "fingerprint", "dukpt", "marks"}) {
      std::ofstream(copy / name, std::ios::binary) << bytes_on_disk(name);
    }
    ASSERT_EQ(::chmod((copy / "root.key").c_str(), 0400), 0);
    auto other = SealedKeyVault::open(copy, [](std::function<void()> run) { run(); });
    ASSERT_TRUE(other);
    ASSERT_TRUE((*other)->resume(committed(0, true), hal::Older::Refuse));
    ASSERT_GT(spend(**other), spent);
  }
}

TEST_F(VaultTest, RenewsTheCeilingBeforeItIsReached) {
  create();
  const auto vault = resumed(0);
  for (int i = 0; i < 32; ++i) spend(*vault);
  ASSERT_TRUE(vault->flush());  // begun by the last of these, on the vault's own thread
  fs::create_directory(dir_ / "dukpt.new");
  std::ofstream(dir_ / "dukpt.new" / "x") << "x";  // from here on no write succeeds
  for (int i = 0; i < 64; ++i) spend(*vault);
  EXPECT_FALSE(vault->seal_card(bytes_of("card"), "aad", {}, {}));
}

TEST_F(VaultTest, ErasedKeysAreNotInTheFile) {
  create();
  const auto initial_key = dukpt::derive_initial_key(bdk_, id).value();
  {
    const auto vault = resumed(0);
    for (int i = 0; i < 20; ++i) spend(*vault);
    vault->erase_spent_keys(0);
    ASSERT_TRUE(vault->flush());
    // An older file is gone by name, so what is read below is what a thief would find.
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(dir_)) ++files;
    EXPECT_EQ(files, 6u);
  }
  const std::string clear = unsealed("dukpt");
  EXPECT_EQ(clear.find(hex_lower(initial_key.view())), std::string::npos);
  for (std::uint32_t counter = 1; counter <= 20; ++counter) {
    const auto key = dukpt::derive_transaction_key(initial_key.view(), id, counter);
    EXPECT_EQ(clear.find(hex_lower(key->view())), std::string::npos) << counter;
  }
  EXPECT_NE(clear.find(hex_lower(dukpt::derive_transaction_key(initial_key.view(), id, 21)->view())),
            std::string::npos);
}

TEST_F(VaultTest, OldContentsAreOverwrittenBeforeTheyAreLetGo) {
  create();
  const int old = ::open((dir_ / "dukpt").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(old, 0);
  resumed(0);
  std::array<char, 64> bytes{};
  ASSERT_EQ(::pread(old, bytes.data(), bytes.size(), 0), 64);
  EXPECT_TRUE(std::ranges::all_of(bytes, [](char c) { return c == 0; }));
  ::close(old);
}

TEST_F(VaultTest, EndsAtTheLastCounter) {
  create();
  {
    const auto vault = resumed(0xFFFE8000);
    EXPECT_FALSE(vault->exhausted());
    EXPECT_EQ(spend(*vault), dukpt::counter_max);
    EXPECT_TRUE(vault->exhausted());
    EXPECT_EQ(vault->seal_card(bytes_of("card"), "aad", {}, {}).error().code, Errc::CounterExhausted);
  }
  const auto again = resumed(dukpt::counter_max);
  EXPECT_TRUE(again->exhausted());
  EXPECT_EQ(again->marks().counter, dukpt::counter_max);
}

TEST_F(VaultTest, ADiskThatFailsIsUnavailableAndLosesNothing) {
  create();
  const auto vault = resumed(0);
  // A directory in the way of the temporary file makes every write fail, for root too.
  fs::create_directory(dir_ / "dukpt.new");
  std::ofstream(dir_ / "dukpt.new" / "x") << "x";
  std::set<std::uint32_t> seen;
  Result<Envelope> last;
  for (int i = 0; i < 100; ++i) {
    last = vault->seal_card(bytes_of("card"), "aad", {}, {});
    if (!last) break;
    seen.insert(dukpt::transaction_counter(last->ksn));
  }
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, Errc::Unavailable);
  EXPECT_EQ(seen.size(), 64u);  // as far as the ceiling on the disk
  vault->erase_spent_keys(0);
  EXPECT_FALSE(vault->flush());
  fs::remove_all(dir_ / "dukpt.new");
  EXPECT_EQ(spend(*vault), 65u);
  vault->erase_spent_keys(0);
  EXPECT_TRUE(vault->flush());
}

TEST_F(VaultTest, FaultsAreAnsweredAsUnavailable) {
  create();
  const auto vault = resumed(0);
  int left = 3;
  vault->set_fault([&left] { return left > 0 && left-- > 0; });
  EXPECT_EQ(vault->seal_card(bytes_of("card"), "aad", {}, {}).error().code, Errc::Unavailable);
  EXPECT_EQ(vault->fingerprint(bytes_of("4242")).error().code, Errc::Unavailable);
  EXPECT_EQ(vault->sign(bytes_of("x")).error().code, Errc::Unavailable);
  EXPECT_EQ(spend(*vault), 1u);
}

TEST_F(VaultTest, SignsWithItsIdentity) {
  auto maker = VaultMaker::begin(dir_);
  ASSERT_TRUE(maker);
  const P256Point identity = maker->public_key();
  const Digest request = sha256(bytes_of("a certificate request"));
  EXPECT_TRUE(p256_verify_digest(identity, request, maker->sign_digest(request).value()));
  EXPECT_EQ(open().error().code, Errc::Busy);
  ASSERT_TRUE(maker->complete(contents()));
  EXPECT_EQ(maker->sign_digest(request).error().code, Errc::Unavailable);
  const auto vault = open().value();
  EXPECT_EQ(vault->identity_public_key(), identity);
  const auto message = bytes_of("nightdrop-checkpoint");
  EXPECT_TRUE(p256_verify(vault->identity_public_key(), message, vault->sign(message).value()));
  const Digest digest = sha256(message);
  auto other_thread = std::async(std::launch::async, [&] { return vault->sign_digest(digest); });
  EXPECT_TRUE(p256_verify_digest(vault->identity_public_key(), digest, vault->sign_digest(digest).value()));
  EXPECT_TRUE(p256_verify_digest(vault->identity_public_key(), digest, other_thread.get().value()));
}

TEST_F(VaultTest, DevelopmentKeysAreMarked) {
  auto made = contents();
  made.development = true;
  ASSERT_TRUE(make_vault(dir_, made));
#ifdef NIGHTDROP_RELEASE_KEYS
  EXPECT_EQ(open().error().code, Errc::DevelopmentKey);
#else
  EXPECT_TRUE(open().value()->is_development());
#endif
  fs::remove_all(dir_);
  create();
  EXPECT_FALSE(open().value()->is_development());
}

TEST_F(VaultTest, ChecksPinsOnAnotherThread) {
  create();
  const auto vault = open().value();
  const std::vector<std::uint8_t> salt{1, 2, 3, 4};
  const Digest right = pbkdf2_hmac_sha256(bytes_of("4711"), salt, 1000);
  const std::vector<std::uint8_t> hash(right.begin(), right.end());
  const auto matches = [&](std::string_view pin, std::vector<std::uint8_t> expected, std::uint32_t iterations) {
    std::promise<std::pair<bool, std::thread::id>> answer;
    vault->check_pin(SecretBytes(bytes_of(pin)), salt, std::move(expected), iterations,
                     [&](bool given) { answer.set_value({given, std::this_thread::get_id()}); });
    const auto [given, thread] = answer.get_future().get();
    EXPECT_FALSE(thread == std::this_thread::get_id());  // this test's post() runs where it is called
    return given;
  };
  EXPECT_TRUE(matches("4711", hash, 1000));
  EXPECT_FALSE(matches("4712", hash, 1000));
  EXPECT_FALSE(matches("4711", hash, 999));
  EXPECT_FALSE(matches("4711", {}, 1000));
  EXPECT_FALSE(matches("4711", hash, 0));
}

}  // namespace
}  // namespace nightdrop

// What the port promises (hal/key_vault.hpp), over every backend: the same cases, one after the other. What finds out
// older copies is in rollback_test.cpp.
#include <array>
#include <future>
#include <optional>
#include <set>

#include "crypto/envelope.hpp"
#include "crypto/primitives.hpp"
#include "unit/vault/backend.hpp"

namespace nightdrop::test {
namespace {

class VaultConformance : public VaultBackend {};
INSTANTIATE_TEST_SUITE_P(Backends, VaultConformance,
                         testing::Values(Backend::Files, Backend::Credential, Backend::Token), name_of);

TEST_P(VaultConformance, SealsWhatTheHostOpens) {
  make();
  const auto vault = resumed();
  const auto envelope = vault->seal_card(bytes_of("card"), "aad", bytes_of("4711"), bytes_of("4242424242424242"));
  ASSERT_TRUE(envelope);
  EXPECT_EQ(envelope->ksn, dukpt::make_ksn(first_id, 1));
  const std::vector<std::uint8_t> bdk(16, 0x77);
  EXPECT_TRUE(std::ranges::equal(open_envelope(bdk, *envelope, "aad")->view(), bytes_of("card")));
  EXPECT_TRUE(
      std::ranges::equal(open_envelope_pin(bdk, *envelope, bytes_of("4242424242424242"))->view(), bytes_of("4711")));
}

TEST_P(VaultConformance, SpendsNoValueTwiceOverRestarts) {
  make();
  std::set<Ksn> seen;
  hal::QueueMarks queue;
  for (int start = 0; start < 4; ++start) {
    const auto vault = resumed(queue);
    for (int i = 0; i < 40; ++i) EXPECT_TRUE(seen.insert(spend(*vault)).second);
    queue = committed(*vault, queue.journal_seq + 40);
    vault->erase_spent_keys(queue.journal_seq);
  }
  queue = {};
  queue.queue_was_lost = true;
  const auto vault = resumed(queue);
  EXPECT_TRUE(seen.insert(spend(*vault)).second);
  EXPECT_EQ(vault->marks().initial_key_id, first_id);
}

TEST_P(VaultConformance, SealsOnlyAfterItWasToldWhatIsCommitted) {
  make();
  const auto vault = open().value();
  EXPECT_EQ(vault->seal_card(bytes_of("card"), "aad", {}, {}).error().code, Errc::Unavailable);
  EXPECT_EQ(vault->prove(bytes_of("x")).error().code, Errc::Unavailable);
  EXPECT_EQ(vault->rekey("x").error().code, Errc::Unavailable);
}

TEST_P(VaultConformance, TheIdentityIsMadeFirstAndStays) {
  auto maker = VaultMaker::begin(dir_, settings_);
  ASSERT_TRUE(maker) << maker.error().text;
  const P256Point identity = maker->public_key();
  const Digest digest = sha256(bytes_of("a certificate request"));
  EXPECT_TRUE(p256_verify_digest(identity, digest, maker->sign_digest(digest).value()));
  VaultContents wrong = contents();
  wrong.fingerprint_key = SecretBytes(4);
  EXPECT_EQ(maker->complete(wrong).error().code, Errc::InvalidArgument);
  ASSERT_TRUE(maker->complete(contents()));
  const auto vault = open().value();
  EXPECT_EQ(vault->identity_public_key(), identity);
  EXPECT_TRUE(p256_verify(identity, bytes_of("x"), vault->sign(bytes_of("x")).value()));
  EXPECT_EQ(VaultMaker::begin(root_ / "vault", settings_).error().code, Errc::Busy);
}

TEST_P(VaultConformance, AMakingThatWasCutOffBeginsAnew) {
  P256Point first{};
  {
    const auto maker = VaultMaker::begin(dir_, settings_);
    ASSERT_TRUE(maker);
    first = maker->public_key();
  }
  EXPECT_EQ(open().error().code, Errc::NotFound);
  auto maker = VaultMaker::begin(dir_, settings_);
  ASSERT_TRUE(maker);
  EXPECT_NE(maker->public_key(), first) << "a key whose request was never answered is not taken up again";
  ASSERT_TRUE(maker->complete(contents()));
  EXPECT_TRUE(open());
  EXPECT_EQ(VaultMaker::begin(dir_, settings_).error().code, Errc::Conflict);
}

// A reader is provisioned into a folder beside, which is renamed when all of it is proven.
TEST_P(VaultConformance, AVaultCanBeMadeBesideAndMovedIn) {
  ASSERT_TRUE(make_vault(root_ / "staged", contents(), settings_));
  fs::rename(root_ / "staged", dir_);
  const auto vault = resumed();
  EXPECT_EQ(spend(*vault), dukpt::make_ksn(first_id, 1));
}

TEST_P(VaultConformance, SignsOnAnyThread) {
  make();
  const auto vault = resumed();
  const Digest digest = sha256(bytes_of("handshake"));
  const auto sign_some = [&] {
    for (int i = 0; i < 5; ++i) {
      const auto signature = vault->sign_digest(digest);
      if (!signature || !p256_verify_digest(vault->identity_public_key(), digest, *signature)) return false;
    }
    return true;
  };
  auto first = std::async(std::launch::async, sign_some);
  auto second = std::async(std::launch::async, sign_some);
  for (int i = 0; i < 70; ++i) spend(*vault);
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(second.get());
}

TEST_P(VaultConformance, GivesTheQueueKeyAndFingerprints) {
  make();
  const auto vault = open().value();
  ASSERT_TRUE(vault->with_queue_key([](std::span<const std::uint8_t, 32> key) -> Result<void> {
    EXPECT_TRUE(std::ranges::all_of(key, [](std::uint8_t byte) { return byte == 0xC3; }));
    return {};
  }));
  EXPECT_EQ(vault->fingerprint(bytes_of("4242")).value(),
            card_fingerprint(bytes_of("a merchant's fingerprint key"), bytes_of("4242")));
}

TEST_P(VaultConformance, ChecksPins) {
  make();
  const auto vault = open().value();
  const std::vector<std::uint8_t> salt{1, 2, 3, 4};
  const Digest right = pbkdf2_hmac_sha256(bytes_of("4711"), salt, 1000);
  for (const auto& [pin, expected] : {std::pair{"4711", true}, std::pair{"4712", false}}) {
    std::promise<bool> answer;
    vault->check_pin(SecretBytes(bytes_of(pin)), salt, {right.begin(), right.end()}, 1000,
                     [&](bool given) { answer.set_value(given); });
    EXPECT_EQ(answer.get_future().get(), expected);
  }
}

TEST_P(VaultConformance, FaultsAreAnsweredAsUnavailable) {
  make();
  const auto vault = resumed();
  bool broken = true;
  vault->set_fault([&broken] { return broken; });
  EXPECT_EQ(vault->seal_card(bytes_of("card"), "aad", {}, {}).error().code, Errc::Unavailable);
  EXPECT_EQ(vault->fingerprint(bytes_of("4242")).error().code, Errc::Unavailable);
  EXPECT_EQ(vault->sign(bytes_of("x")).error().code, Errc::Unavailable);
  EXPECT_EQ(vault->prove(bytes_of("x")).error().code, Errc::Unavailable);
  EXPECT_EQ(vault->rekey(block_for(first_id, numbered_id(2))).error().code, Errc::Unavailable);
  broken = false;
  EXPECT_EQ(spend(*vault), dukpt::make_ksn(first_id, 1));
}

TEST_P(VaultConformance, AFileThatWasChangedIsRefused) {
  make();
  for (const char* name : {"queue_key", "fingerprint", "dukpt", "marks"}) {
    std::string whole;
    {
      std::ifstream file(dir_ / name, std::ios::binary);
      whole.assign(std::istreambuf_iterator<char>(file), {});
    }
    std::string damaged = whole;
    damaged.back() = static_cast<char>(damaged.back() ^ 1);
    std::ofstream(dir_ / name, std::ios::binary) << damaged;
    EXPECT_EQ(open().error().code, Errc::WrongKey) << name;
    std::ofstream(dir_ / name, std::ios::binary) << whole;
  }
  EXPECT_TRUE(open());
}

TEST_P(VaultConformance, ProvesWithAKeyThatIsSpentForIt) {
  make();
  Ksn proven{};
  {
    const auto vault = resumed();
    const auto proof = vault->prove(bytes_of("challenge"));
    ASSERT_TRUE(proof) << proof.error().text;
    proven = proof->ksn;
    EXPECT_EQ(proven, dukpt::make_ksn(first_id, 1));
    EXPECT_TRUE(p256_verify(vault->identity_public_key(), bytes_of("challenge"), proof->signature));
    const auto key = dukpt::derive_working_key(initial_key(first_id).view(), proof->ksn, dukpt::Usage::MacGeneration,
                                               dukpt::KeyKind::Aes128);
    EXPECT_TRUE(std::ranges::equal(cmac(BlockCipher::Aes, key->view(), bytes_of("challenge")).value(), proof->mac));
  }
  // Nobody committed it, and still it is spent.
  EXPECT_GT(spend(*resumed()), proven);
}

// --- rekey ---

TEST_P(VaultConformance, RekeyGoesOnUnderTheNewKeyFromItsFirstValue) {
  make();
  const dukpt::InitialKeyId next = numbered_id(2);
  hal::QueueMarks queue;
  {
    const auto vault = resumed();
    for (int i = 0; i < 100; ++i) spend(*vault);
    ASSERT_TRUE(vault->flush());  // nothing is left to be written but what rekey() writes
    ASSERT_TRUE(vault->rekey(block_for(first_id, next)));
    EXPECT_EQ(vault->marks().initial_key_id, next);
    EXPECT_EQ(vault->marks().counter, 0u);
    const auto envelope = vault->seal_card(bytes_of("card"), "aad", {}, {});
    EXPECT_EQ(envelope->ksn, dukpt::make_ksn(next, 1));
    EXPECT_TRUE(open_envelope(std::vector<std::uint8_t>(16, 0x77), *envelope, "aad"));
    queue = committed(*vault, 1);
  }
  const auto vault = resumed(queue);
  const Ksn ksn = spend(*vault);
  EXPECT_EQ(dukpt::initial_key_id(ksn), next);
  EXPECT_GT(dukpt::transaction_counter(ksn), 1u);
  EXPECT_LT(dukpt::transaction_counter(ksn), 100u) << "the old key's values say nothing of the new one's";
}

// The power went between the vault's write and the queue's commit: the queue still names the old key.
TEST_P(VaultConformance, ARekeyThatTheQueueDoesNotKnowIsNoOlderCopy) {
  make();
  hal::QueueMarks queue;
  {
    const auto vault = resumed();
    for (int i = 0; i < 100; ++i) spend(*vault);
    queue = committed(*vault, 100);
    ASSERT_TRUE(vault->rekey(block_for(first_id, numbered_id(2))));
  }
  const auto vault = resumed(queue);
  const Ksn ksn = spend(*vault);
  EXPECT_EQ(dukpt::initial_key_id(ksn), numbered_id(2));
  EXPECT_LT(dukpt::transaction_counter(ksn), 100u) << "the queue's counter is the old key's";
}

TEST_P(VaultConformance, RekeyRefusesWhatIsNotANewKeyOfItsOwn) {
  make();
  const auto vault = resumed();
  const auto refusal = [&](const std::string& block) {
    const auto done = vault->rekey(block);
    return done ? std::nullopt : std::optional(done.error().code);
  };
  EXPECT_EQ(refusal(""), Errc::Malformed);
  EXPECT_EQ(refusal(block_for(first_id, first_id)), Errc::Conflict);
  EXPECT_EQ(refusal(block_for(numbered_id(9), numbered_id(2))), Errc::WrongKey);
  std::string block = block_for(first_id, numbered_id(2));
  block[block.size() - 1] = block.back() == '0' ? '1' : '0';
  EXPECT_EQ(refusal(block), Errc::WrongKey);
  EXPECT_EQ(spend(*vault), dukpt::make_ksn(first_id, 1)) << "the old key goes on";
  ASSERT_TRUE(vault->rekey(block_for(first_id, numbered_id(2))));
  EXPECT_EQ(refusal(block_for(numbered_id(2), first_id)), Errc::Conflict) << "an earlier IKID";
  ASSERT_TRUE(vault->rekey(block_for(numbered_id(2), numbered_id(3))));
  EXPECT_EQ(refusal(block_for(numbered_id(3), numbered_id(2))), Errc::Conflict);
}

TEST_P(VaultConformance, RekeyThatCannotBeWrittenChangesNothing) {
  make();
  auto vault = resumed();
  fs::create_directory(dir_ / "dukpt.new");
  std::ofstream(dir_ / "dukpt.new" / "x") << "x";
  EXPECT_EQ(vault->rekey(block_for(first_id, numbered_id(2))).error().code, Errc::Unavailable);
  EXPECT_EQ(spend(*vault), dukpt::make_ksn(first_id, 1));
  vault.reset();
  fs::remove_all(dir_ / "dukpt.new");
  vault = resumed();  // no mark tells of what was not written
  EXPECT_EQ(dukpt::initial_key_id(spend(*vault)), first_id);
  EXPECT_TRUE(vault->rekey(block_for(first_id, numbered_id(2))));
}

// --- erasure ---

TEST_P(VaultConformance, ErasingTheCardKeysLeavesWhatTheQueueNeeds) {
  make();
  const auto check = [&](SealedKeyVault& vault) {
    EXPECT_EQ(vault.state(), hal::VaultState::CardKeysErased);
    EXPECT_TRUE(vault.exhausted());
    EXPECT_EQ(vault.seal_card(bytes_of("card"), "aad", {}, {}).error().code, Errc::Unavailable);
    EXPECT_EQ(vault.fingerprint(bytes_of("4242")).error().code, Errc::Unavailable);
    EXPECT_EQ(vault.prove(bytes_of("x")).error().code, Errc::Unavailable);
    EXPECT_EQ(vault.rekey(block_for(first_id, numbered_id(2))).error().code, Errc::Unavailable);
    EXPECT_TRUE(p256_verify(vault.identity_public_key(), bytes_of("x"), vault.sign(bytes_of("x")).value()));
    EXPECT_TRUE(vault.with_queue_key([](std::span<const std::uint8_t, 32>) -> Result<void> { return {}; }));
    for (const char* name : {"dukpt", "fingerprint", "dukpt.new"}) EXPECT_FALSE(fs::exists(dir_ / name)) << name;
  };
  hal::VaultMarks marks;
  {
    const auto vault = resumed();
    spend(*vault);
    vault->erase_spent_keys(1);  // the worker has a write in hand, which must not bring anything back
    marks = vault->marks();
    ASSERT_TRUE(vault->erase_card_keys());
    check(*vault);
    EXPECT_GT(vault->marks().generation, marks.generation);
    ASSERT_TRUE(vault->erase_card_keys()) << "again";
  }
  const auto vault = open().value();
  ASSERT_TRUE(vault->resume({}, hal::Older::Refuse));
  check(*vault);
  EXPECT_GT(vault->marks().generation, marks.generation);
  EXPECT_EQ(vault->marks().initial_key_id, first_id);
}

// The power goes at each step of an erasure: the next opening brings it to its end.
TEST_P(VaultConformance, AnErasureThatWasCutOffIsBroughtToItsEnd) {
  make();
  keep("whole");
  {
    ASSERT_TRUE(resumed()->erase_card_keys());
  }
  keep("erased");
  const auto zero = [&](const char* name) {
    const auto size = fs::file_size(root_ / "whole" / name);
    std::ofstream(dir_ / name, std::ios::binary) << std::string(size, '\0');
  };
  const std::vector<std::function<void()>> cuts{
      [&] {},  // the note alone was written
      [&] { zero("dukpt"); },
      [&] { fs::remove(dir_ / "dukpt"); },
      [&] { fs::remove(dir_ / "dukpt"), zero("fingerprint"); },
      // A disk that could not take the note.
      [&] { fs::remove(dir_ / "dukpt"), fs::remove(dir_ / "card_keys_erased"); },
  };
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    restore("whole");
    fs::copy_file(root_ / "erased" / "card_keys_erased", dir_ / "card_keys_erased");
    cuts[i]();
    const auto vault = open();
    ASSERT_TRUE(vault) << i << vault.error().text;
    EXPECT_EQ((*vault)->state(), hal::VaultState::CardKeysErased) << i;
    EXPECT_FALSE(fs::exists(dir_ / "dukpt")) << i;
    EXPECT_FALSE(fs::exists(dir_ / "fingerprint")) << i;
  }
}

TEST_P(VaultConformance, AnErasedVaultIsNoneAndCanBeMadeAnew) {
  make();
  keep("whole");
  {
    const auto vault = resumed();
    ASSERT_TRUE(vault->erase());
    EXPECT_EQ(vault->state(), hal::VaultState::Erased);
    EXPECT_EQ(vault->sign(bytes_of("x")).error().code, Errc::Unavailable);
    EXPECT_EQ(vault->with_queue_key([](std::span<const std::uint8_t, 32>) -> Result<void> { return {}; }).error().code,
              Errc::Unavailable);
    EXPECT_EQ(vault->seal_card(bytes_of("card"), "aad", {}, {}).error().code, Errc::Unavailable);
  }
  EXPECT_EQ(open().error().code, Errc::NotFound);
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(dir_)) left.insert(entry.path().filename().string());
  EXPECT_EQ(left, std::set<std::string>{"erased"});
  ASSERT_TRUE(make_vault(dir_, contents(), settings_));
  EXPECT_TRUE(open());
  // A copy of the erased vault: dead where the keys were in the token.
  restore("whole");
  EXPECT_EQ(open().has_value(), GetParam() != Backend::Token);
}

TEST_P(VaultConformance, AnErasureOfEverythingThatWasCutOffIsBroughtToItsEnd) {
  make();
  std::ofstream(dir_ / "erased") << "";
  EXPECT_EQ(open().error().code, Errc::NotFound);
  EXPECT_FALSE(fs::exists(dir_ / "queue_key"));
  EXPECT_FALSE(fs::exists(dir_ / "identity"));
  fs::remove(dir_ / "erased");
  EXPECT_EQ(open().error().code, Errc::NotFound) << "the note only says so; the keys are gone";
}

}  // namespace
}  // namespace nightdrop::test

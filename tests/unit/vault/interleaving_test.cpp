// Any interleaving of sealing, committing, noting, replacing keys, crashing and putting older copies back, against an
// oracle that has seen everything. Between two starts the vault or the queue is put back, with a token also both; the
// queue commits the vault's marks with each turn, the first of a start included.
#include <random>
#include <set>
#include <vector>

#include "unit/vault/backend.hpp"

namespace nightdrop::test {
namespace {

struct QueueCopy {
  hal::QueueMarks marks;
  std::set<Ksn> payments;
  int branch{0};  // a person who accepts an older copy begins another
};
struct VaultCopy {
  std::string name;
  std::uint64_t generation{0};
};

class VaultInterleaving : public VaultBackend {
 protected:
  int chance(int of) { return std::uniform_int_distribution<int>(0, of - 1)(random_); }

  // What was sealed or proven under this KSN leaves the box.
  void leaves(const Ksn& ksn) { EXPECT_TRUE(left_.insert(ksn).second) << "KSN twice: " << hex_lower(ksn); }

  void commit(SealedKeyVault& vault, const std::vector<Ksn>& sealed) {
    queue_.marks = committed(vault, queue_.marks.journal_seq + 1);
    for (const Ksn& ksn : sealed) {
      leaves(ksn);
      queue_.payments.insert(ksn);
    }
  }

  // One thing that a reader does. Gives false when the power went.
  bool act(SealedKeyVault& vault) {
    const int what = chance(12);
    if (what < 7) {
      std::vector<Ksn> sealed;
      for (int i = chance(60); i >= 0; --i) sealed.push_back(spend(vault));
      if (chance(8) == 0) return false;  // before the commit: nothing left the box
      commit(vault, sealed);
      if (chance(8) == 0) return false;  // before the vault was told
      vault.erase_spent_keys(queue_.marks.journal_seq);
    } else if (what < 9) {
      EXPECT_TRUE(vault.flush());
      noted_ = queue_;
    } else if (what < 10 && next_id_ < 250) {
      const auto id = numbered_id(next_id_++);
      EXPECT_TRUE(vault.rekey(block_for(vault.initial_key_id(), id)));
      if (chance(2) == 0) return false;  // the queue was never told
      commit(vault, {});
    } else if (what < 11) {
      const auto proof = vault.prove(bytes_of("challenge"));
      EXPECT_TRUE(proof);
      leaves(proof->ksn);
      commit(vault, {});
    }
    return true;
  }

  // A reader's life, from a resumed vault to its end.
  void live(std::unique_ptr<SealedKeyVault> vault) {
    queue_.branch = branch_;
    noted_ = queue_;
    commit(*vault, {});  // the first turn
    for (int acts = chance(8); acts > 0 && act(*vault); --acts) {
    }
    vault.reset();  // what its thread has in hand is written, as it may be in a crash
    const std::string name = "copy" + std::to_string(copies_++);
    keep(name);
    vaults_.push_back({name, open().value()->marks().generation});
    queues_.push_back(queue_);
  }

  // Whether the queue misses a payment that the vault's note tells of. A copy of a branch that was given up may have
  // come further by its numbers, and is not seen: the daemon's word for that is "never restore", the person's was "go
  // on".
  bool misses_noted() const {
    return queue_.branch == branch_ &&
           std::ranges::any_of(noted_.payments, [&](const Ksn& ksn) { return !queue_.payments.contains(ksn); });
  }

  // Opens after `queue_older` or `vault_older` was put back; a person says to go on where that is asked for.
  std::unique_ptr<SealedKeyVault> start(bool queue_older, bool vault_older) {
    auto vault = open().value();
    const std::uint64_t generation = vault->marks().generation;
    const auto resumed = vault->resume(queue_.marks, hal::Older::Refuse);
    if (resumed) {
      EXPECT_FALSE(misses_noted()) << "the queue misses what was noted, and nobody was told";
      EXPECT_GE(generation, queue_.marks.vault_generation) << "the vault is older, and nobody was told";
      if (keeps_mark()) {
        EXPECT_EQ(generation, vaults_.back().generation) << "a token sees every older vault";
      }
      return vault;
    }
    ++refused_;
    EXPECT_EQ(resumed.error().code, Errc::RolledBack);
    EXPECT_TRUE(queue_older || vault_older) << "a false alarm: " << resumed.error().text;
    if (resumed.error().text == hal::replaced_keys_text) {
      EXPECT_FALSE(vault->resume(queue_.marks, hal::Older::AcceptBoth));
      return with_the_newest(std::move(vault), queue_older);
    }
    const bool queue = resumed.error().text == hal::older_queue_text;
    for (const hal::Older accepted :
         {queue ? hal::Older::AcceptQueue : hal::Older::AcceptVault, hal::Older::AcceptBoth}) {
      const auto gone_on = vault->resume(queue_.marks, accepted);
      if (!gone_on && gone_on.error().text == hal::replaced_keys_text) {  // older in both, and of before a rekey
        return with_the_newest(std::move(vault), queue_older);
      }
      if (!gone_on) continue;
      ++branch_;
      return vault;
    }
    ADD_FAILURE() << "nothing that a person can say lets it go on";
    return vault;
  }

  // The way on of this test where nothing else is: the newest copy is found after all.
  std::unique_ptr<SealedKeyVault> with_the_newest(std::unique_ptr<SealedKeyVault> vault, bool queue_older) {
    vault.reset();
    restore(vaults_.back().name);
    if (queue_older) queue_ = queues_.back();
    vault = open().value();
    EXPECT_TRUE(vault->resume(queue_.marks, hal::Older::Refuse));
    return vault;
  }

  void run(unsigned seed) {
    random_.seed(seed);
    make();
    live(resumed());
    for (int lives = 0; lives < 12 && !HasFailure(); ++lives) {
      const int what = chance(keeps_mark() ? 5 : 4);
      const bool queue_older = what == 1 || what == 4;
      const bool vault_older = what == 2 || what == 4;
      if (queue_older) queue_ = queues_[static_cast<std::size_t>(chance(static_cast<int>(queues_.size())))];
      if (vault_older) restore(vaults_[static_cast<std::size_t>(chance(static_cast<int>(vaults_.size())))].name);
      live(start(queue_older, vault_older));
    }
  }

  std::mt19937 random_;
  std::set<Ksn> left_;
  QueueCopy queue_, noted_;
  std::vector<QueueCopy> queues_;
  std::vector<VaultCopy> vaults_;
  int copies_{0}, refused_{0}, branch_{0};
  std::uint8_t next_id_{0x60};
};
INSTANTIATE_TEST_SUITE_P(Backends, VaultInterleaving,
                         testing::Values(Backend::Files, Backend::Credential, Backend::Token), name_of);

TEST_P(VaultInterleaving, NoKsnTwiceAndNoOlderCopyUnseen) {
  const unsigned seeds = GetParam() == Backend::Token ? 3 : 8;
  int refused = 0;
  for (unsigned seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    fs::remove_all(dir_);
    left_.clear();
    queue_ = noted_ = {};
    queues_.clear();
    vaults_.clear();
    next_id_ = 0x60;
    run(seed);
    refused += refused_;
  }
  EXPECT_GT(refused, 0) << "the test has put nothing back that is seen";
}

}  // namespace
}  // namespace nightdrop::test

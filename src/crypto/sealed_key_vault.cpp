// Locks: `disk` is held from the snapshot of the registers to the file that holds it, so that an older snapshot never
// replaces a newer one; `mutex` guards the fields and is never held over I/O. `disk` is taken before `mutex`.
#include "crypto/sealed_key_vault.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "crypto/envelope.hpp"
#include "crypto/primitives.hpp"
#include "crypto/spending.hpp"
#include "crypto/vault_erasure.hpp"
#include "crypto/vault_files.hpp"

namespace nightdrop {
namespace {

#ifdef NIGHTDROP_RELEASE_KEYS
constexpr bool development_refused = true;
#else
constexpr bool development_refused = false;
#endif

constexpr int renew_after = 32;                         // values that are spent before the next ceiling is written
constexpr std::chrono::seconds retry_after{1};          // a write that failed
constexpr std::chrono::milliseconds erase_within{100};  // from being spent to being gone from the disk

std::unexpected<Error> erased_failure() {
  return failure(Errc::Unavailable, "the vault's card keys were erased");
}
std::unexpected<Error> write_failure(const Error& error) {
  return failure(Errc::Unavailable, "the vault's file cannot be written", error.native);
}

struct PinCheck {
  SecretBytes pin;
  std::vector<std::uint8_t> salt;
  std::vector<std::uint8_t> hash;
  std::uint32_t iterations{0};
  std::function<void(bool)> done;
};

bool pin_matches(const PinCheck& check) {
  if (check.iterations == 0) return false;
  const Secret<32> given(pbkdf2_hmac_sha256(check.pin.view(), check.salt, check.iterations));
  return equal_in_constant_time(given.view(), check.hash);
}

}  // namespace

struct SealedKeyVault::State {
  State(VaultDirectory opened, Post to_loop) : directory(std::move(opened)), post(std::move(to_loop)) {}

  VaultDirectory directory;
  std::unique_ptr<RootOfTrust> root;
  Post post;
  bool development{false};

  std::mutex disk;
  mutable std::mutex mutex;
  hal::VaultState vault_state{hal::VaultState::Ready};
  std::optional<Spending> spending;  // none once erased; its ceiling and generation are the durable ones
  hal::VaultMarks erased_marks;      // once erased
  SecretBytes queue_key, fingerprint_key;
  bool resumed{false};
  int spent_since_write{0};
  std::function<bool()> fault;
  std::condition_variable wake;     // the worker has something to do
  std::condition_variable settled;  // a write has ended
  std::uint64_t writes_wanted{0};
  std::uint64_t writes_done{0};
  std::uint64_t write_tries{0};
  bool hurry{false};  // somebody waits for the write, or the ceiling is near
  Result<void> last_write;
  std::deque<PinCheck> pin_checks;
  bool stopping{false};
  std::thread worker;

  Result<void> check_fault() {
    const std::lock_guard lock(mutex);
    if (fault && fault()) return failure(Errc::Unavailable, "the vault is made to fail");
    return {};
  }

  // Requires: mutex held.
  Result<void> check_usable() const {
    if (!spending) return erased_failure();
    if (!resumed) return failure(Errc::Unavailable, "the vault was not told what the queue has committed");
    return {};
  }

  // Makes these registers durable, then the mark of them; what they allow may be spent from then on.
  // Requires: disk held.
  Result<void> write_file(std::span<const std::uint8_t> snapshot, const RootMark& mark) {
    ND_TRY(write_sealed(directory, *root, vault_files::dukpt, snapshot));
    return root->set_mark(mark);
  }

  // Makes the present registers and a new ceiling durable.
  Result<void> write_spending() {
    const std::lock_guard one_writer(disk);
    std::unique_lock lock(mutex);
    if (!spending) return {};  // erased in the meantime: nothing is to be written ever again
    const std::uint32_t ceiling = ceiling_for(spending->device);  // grows with the device
    const std::uint64_t generation = spending->generation + 1;
    const int spent_before = spent_since_write;
    const SecretBytes snapshot = spending_to_bytes(*spending, ceiling, generation);
    const RootMark mark{spending->device.initial_key_id(), ceiling, generation};
    lock.unlock();
    ND_TRY(write_file(snapshot.view(), mark));
    lock.lock();
    if (!spending) return {};
    spending->ceiling = ceiling;
    spending->generation = generation;
    spent_since_write -= spent_before;
    return {};
  }

  // Waits until the current value may be spent. Requires: `lock` on mutex, held before and after.
  Result<void> reach_ceiling(std::unique_lock<std::mutex>& lock) {
    while (spending && spending->device.current() > spending->ceiling) {  // the worker is behind, or its writes fail
      lock.unlock();
      const auto written = write_spending();
      lock.lock();
      if (!written) return write_failure(written.error());
    }
    return spending ? Result<void>() : erased_failure();
  }

  // Requires: mutex held.
  void want_write(bool now) {
    ++writes_wanted;
    hurry = hurry || now;
    wake.notify_one();
  }

  // Requires: `lock` on mutex, held before and after.
  void write_what_is_wanted(std::unique_lock<std::mutex>& lock) {
    // A rush of payments is erased in one write, which would else compete with their commits for the disk.
    wake.wait_for(lock, erase_within, [this] { return stopping || hurry || !pin_checks.empty(); });
    hurry = false;
    const std::uint64_t these = writes_wanted;
    lock.unlock();
    const auto written = write_spending();
    lock.lock();
    if (written) writes_done = these;
    last_write = written;
    ++write_tries;
    settled.notify_all();
  }

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [this] { return stopping || writes_wanted != writes_done || !pin_checks.empty(); });
      if (writes_wanted != writes_done) {
        write_what_is_wanted(lock);
        if (last_write) continue;
        // Spent keys must not stay on the disk because it was full for a moment.
        if (stopping) return;
        wake.wait_for(lock, retry_after, [this] { return stopping || hurry; });
      } else if (stopping) {
        return;
      } else {
        const PinCheck check = std::move(pin_checks.front());
        pin_checks.pop_front();
        lock.unlock();
        const bool matches = pin_matches(check);
        post([done = check.done, matches] { done(matches); });
        lock.lock();
      }
    }
  }

  // Forgets the card keys in memory. Requires: mutex held. Gives the marks of a vault without them: one generation on,
  // so that whoever knows it takes any copy of the vault for an older one.
  hal::VaultMarks forget_card_keys() {
    if (spending) {
      erased_marks = spending->marks();
      ++erased_marks.generation;
    }
    spending.reset();
    fingerprint_key = SecretBytes();
    return erased_marks;
  }
};

Result<std::unique_ptr<SealedKeyVault>> SealedKeyVault::open(const std::filesystem::path& dir, Post post,
                                                             const RootSettings& root, Development development) {
  auto directory = VaultDirectory::open_locked(dir);
  ND_TRY(directory);
  auto state = std::make_unique<State>(std::move(*directory), std::move(post));
  if (state->directory.has(vault_files::erased)) {
    ND_TRY(finish_erasure(state->directory, root));
    return failure(Errc::NotFound, "the vault was erased");
  }
  if (!state->directory.has(vault_files::marks)) return failure(Errc::NotFound, "there is no vault, or none complete");
  auto opened = open_root(state->directory, root);
  ND_TRY(opened);
  state->root = std::move(*opened);
  const auto unseal = [&](const char* role) { return read_sealed(state->directory, *state->root, role); };
  const auto marks = unseal(vault_files::marks);
  ND_TRY(marks);
  const auto mark = vault_files::development_mark;
  state->development = std::ranges::equal(marks->view(), mark);
  if (state->development && development_refused && development != Development::Accepted) {
    return failure(Errc::DevelopmentKey, "this vault holds development keys; a release build refuses them");
  }
  auto queue_key = unseal(vault_files::queue_key);
  ND_TRY(queue_key);
  if (queue_key->size() != vault_files::queue_key_size) {
    return failure(Errc::Corrupt, "a key in the vault has a wrong length");
  }
  state->queue_key = std::move(*queue_key);
  state->directory.remove_leftovers();
  if (state->directory.has(vault_files::card_keys_erased) || !state->directory.has(vault_files::dukpt)) {
    ND_TRY(vault_files::destroy_card_keys(state->directory));
    state->vault_state = hal::VaultState::CardKeysErased;
    state->erased_marks = read_erased_marks(state->directory, *state->root);
    return std::unique_ptr<SealedKeyVault>(new SealedKeyVault(std::move(state)));
  }
  auto fingerprint_key = unseal(vault_files::fingerprint);
  ND_TRY(fingerprint_key);
  const auto bytes = unseal(vault_files::dukpt);
  ND_TRY(bytes);
  auto spending = spending_from_bytes(bytes->view());
  ND_TRY(spending);
  state->fingerprint_key = std::move(*fingerprint_key);
  state->spending = std::move(*spending);
  return std::unique_ptr<SealedKeyVault>(new SealedKeyVault(std::move(state)));
}

SealedKeyVault::SealedKeyVault(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->worker = std::thread([s = state_.get()] { s->work(); });
}

SealedKeyVault::~SealedKeyVault() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->wake.notify_one();
  }
  state_->worker.join();
}

Result<Envelope> SealedKeyVault::seal_card(std::span<const std::uint8_t> plaintext, std::string_view aad,
                                           std::span<const std::uint8_t> online_pin,
                                           std::span<const std::uint8_t> pan) {
  ND_TRY(state_->check_fault());
  std::unique_lock lock(state_->mutex);
  ND_TRY(state_->check_usable());
  ND_TRY(state_->reach_ceiling(lock));
  Spending& spending = *state_->spending;
  const auto spent = spending.device.current();
  auto envelope = seal_envelope(spending.device, plaintext, aad, online_pin, pan);
  if (!spent) return envelope;  // exhausted
  // Spent even where sealing failed half-way: a nonce that was used is never used again.
  spending.counter = *spent;
  ND_TRY(spending.device.advance());
  ND_TRY(envelope);
  if (++state_->spent_since_write == renew_after) state_->want_write(true);
  return envelope;
}

hal::VaultMarks SealedKeyVault::marks() const {
  const std::lock_guard lock(state_->mutex);
  return state_->spending ? state_->spending->marks() : state_->erased_marks;
}

bool SealedKeyVault::exhausted() const {
  const std::lock_guard lock(state_->mutex);
  return !state_->spending || state_->spending->device.exhausted();
}

Result<void> SealedKeyVault::resume(const hal::QueueMarks& queue, hal::Older accepted) {
  ND_TRY(state_->check_fault());
  const auto root_mark = state_->root->mark();
  ND_TRY(root_mark);
  std::unique_lock lock(state_->mutex);
  if (!state_->spending) return {};  // nothing is sealed any more; what waits in the queue goes on
  Spending& spending = *state_->spending;
  const auto point = resume_point(spending, *root_mark, queue, accepted);
  ND_TRY(point);
  if (!spending.device.exhausted()) ND_TRY(spending.device.skip_past(point->spent));
  const std::uint64_t generation = std::exchange(spending.generation, point->generation);
  const std::uint64_t seq = std::exchange(spending.witnessed_seq, queue.journal_seq);
  spending.counter = point->spent;
  lock.unlock();
  const auto written = state_->write_spending();
  lock.lock();
  if (!state_->spending) return erased_failure();
  if (!written) {
    // As it is on the disk, so that asking again compares with the same.
    spending.generation = generation;
    spending.witnessed_seq = seq;
    return write_failure(written.error());
  }
  state_->resumed = true;
  return {};
}

void SealedKeyVault::erase_spent_keys(std::uint64_t committed_journal_seq) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->spending) return;
  state_->spending->witnessed_seq = committed_journal_seq;
  state_->want_write(false);
}

Result<void> SealedKeyVault::flush() {
  std::unique_lock lock(state_->mutex);
  const std::uint64_t wanted = state_->writes_wanted;
  state_->hurry = true;
  state_->wake.notify_one();
  const std::uint64_t tries = state_->write_tries;
  state_->settled.wait(lock,
                       [this, wanted, tries] { return state_->writes_done >= wanted || state_->write_tries != tries; });
  return state_->last_write;
}

Result<hal::PossessionProof> SealedKeyVault::prove(std::span<const std::uint8_t> message) {
  ND_TRY(state_->check_fault());
  hal::PossessionProof proof;
  {
    std::unique_lock lock(state_->mutex);
    ND_TRY(state_->check_usable());
    ND_TRY(state_->reach_ceiling(lock));
    Spending& spending = *state_->spending;
    if (spending.device.exhausted()) return failure(Errc::CounterExhausted, "the last transaction key is spent");
    proof.ksn = spending.device.ksn();
    const auto kind = envelope_key_type(spending.device.key_size()) == KeyType::Aes256 ? dukpt::KeyKind::Aes256
                                                                                       : dukpt::KeyKind::Aes128;
    const auto key = spending.device.working_key(dukpt::Usage::MacGeneration, kind);
    ND_TRY(key);
    const auto mac = cmac(BlockCipher::Aes, key->view(), message);
    ND_TRY(mac);
    std::ranges::copy(*mac, proof.mac.begin());
    spending.counter = dukpt::transaction_counter(proof.ksn);
    ND_TRY(spending.device.advance());
  }
  if (const auto written = state_->write_spending(); !written) return write_failure(written.error());
  auto signature = sign(message);
  ND_TRY(signature);
  proof.signature = std::move(*signature);
  return proof;
}

Result<void> SealedKeyVault::rekey(std::string_view tr31_block) {
  ND_TRY(state_->check_fault());
  const std::lock_guard one_writer(state_->disk);
  std::unique_lock lock(state_->mutex);
  ND_TRY(state_->check_usable());
  auto device = device_of_block(*state_->spending, tr31_block);
  ND_TRY(device);
  Spending fresh{.device = std::move(*device)};
  fresh.ceiling = ceiling_for(fresh.device);
  fresh.generation = state_->spending->generation + 1;
  fresh.witnessed_seq = state_->spending->witnessed_seq;
  fresh.earlier_ids = state_->spending->earlier_ids;
  fresh.earlier_ids.push_back(state_->spending->device.initial_key_id());
  const SecretBytes snapshot = spending_to_bytes(fresh, fresh.ceiling, fresh.generation);
  const RootMark mark{fresh.device.initial_key_id(), fresh.ceiling, fresh.generation};
  lock.unlock();
  if (const auto written = state_->write_file(snapshot.view(), mark); !written) return write_failure(written.error());
  lock.lock();
  if (!state_->spending) return erased_failure();
  state_->spending = std::move(fresh);  // wipes the old registers
  state_->spent_since_write = 0;
  return {};
}

Result<void> SealedKeyVault::erase_card_keys() {
  hal::VaultMarks marks;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->vault_state == hal::VaultState::Erased) return {};
    state_->vault_state = hal::VaultState::CardKeysErased;
    marks = state_->forget_card_keys();
  }
  const std::lock_guard last_writer(state_->disk);
  return destroy_card_keys(state_->directory, *state_->root, marks);
}

Result<void> SealedKeyVault::erase() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->vault_state = hal::VaultState::Erased;
    (void)state_->forget_card_keys();
    state_->queue_key = SecretBytes();
  }
  const std::lock_guard last_writer(state_->disk);
  return destroy_vault(state_->directory, *state_->root);
}

hal::VaultState SealedKeyVault::state() const {
  const std::lock_guard lock(state_->mutex);
  return state_->vault_state;
}

Result<std::string> SealedKeyVault::fingerprint(std::span<const std::uint8_t> pan) {
  ND_TRY(state_->check_fault());
  const std::lock_guard lock(state_->mutex);
  if (state_->fingerprint_key.empty()) return erased_failure();
  return card_fingerprint(state_->fingerprint_key.view(), pan);
}

Result<std::vector<std::uint8_t>> SealedKeyVault::sign(std::span<const std::uint8_t> message) {
  return sign_digest(sha256(message));
}

Result<std::vector<std::uint8_t>> SealedKeyVault::sign_digest(std::span<const std::uint8_t> digest) {
  ND_TRY(state_->check_fault());
  return state_->root->sign_digest(digest);
}

Result<void> SealedKeyVault::with_queue_key(const std::function<Result<void>(std::span<const std::uint8_t, 32>)>& use) {
  ND_TRY(state_->check_fault());
  if (state_->queue_key.empty()) return failure(Errc::Unavailable, "the vault was erased");
  return use(state_->queue_key.view().first<32>());
}

void SealedKeyVault::check_pin(SecretBytes pin, std::vector<std::uint8_t> salt, std::vector<std::uint8_t> hash,
                               std::uint32_t iterations, std::function<void(bool matches)> done) {
  const std::lock_guard lock(state_->mutex);
  state_->pin_checks.push_back({std::move(pin), std::move(salt), std::move(hash), iterations, std::move(done)});
  state_->wake.notify_one();
}

const P256Point& SealedKeyVault::identity_public_key() const {
  return state_->root->public_key();
}

dukpt::InitialKeyId SealedKeyVault::initial_key_id() const {
  const std::lock_guard lock(state_->mutex);
  return state_->spending ? state_->spending->device.initial_key_id() : dukpt::InitialKeyId{};
}

KeyType SealedKeyVault::key_type() const {
  const std::lock_guard lock(state_->mutex);
  return state_->spending ? envelope_key_type(state_->spending->device.key_size()) : KeyType::Aes128;
}

bool SealedKeyVault::is_development() const {
  return state_->development;
}

void SealedKeyVault::set_fault(std::function<bool()> fault) {
  const std::lock_guard lock(state_->mutex);
  state_->fault = std::move(fault);
}

}  // namespace nightdrop

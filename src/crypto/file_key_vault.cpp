// Locks: `disk` is held from the snapshot of the registers to the file that holds it, so that an older snapshot never
// replaces a newer one; `mutex` guards the fields and is never held over I/O. `disk` is taken before `mutex`.
#include "crypto/file_key_vault.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "crypto/envelope.hpp"
#include "crypto/primitives.hpp"
#include "crypto/sealed_file.hpp"

namespace nightdrop {
namespace {

#ifdef NIGHTDROP_RELEASE_KEYS
constexpr bool development_refused = true;
#else
constexpr bool development_refused = false;
#endif

constexpr const char* root_file = "root.key";
constexpr const char* queue_role = "queue_key";
constexpr const char* identity_role = "identity";
constexpr const char* fingerprint_role = "fingerprint";
constexpr const char* dukpt_role = "dukpt";
constexpr const char* marks_role = "marks";
constexpr std::string_view development_mark = "development=true\n";
constexpr std::size_t root_key_size = 32;
constexpr std::size_t queue_key_size = 32;
constexpr std::size_t fingerprint_key_min = 16;
constexpr int ceiling_ahead = 64;  // counter values that may be spent after one write
constexpr int renew_after = 32;    // of which so many are spent before the next write begins
constexpr std::chrono::seconds retry_after{1};               // a write that failed
constexpr std::chrono::milliseconds erase_within{100};  // from being spent to being gone from the disk
constexpr std::uint8_t format_version = 1;
constexpr std::size_t header_size = 1 + 4 + 4;  // version, last spent counter, ceiling; then the registers

void put_u32(std::span<std::uint8_t> out, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}
std::uint32_t get_u32(std::span<const std::uint8_t> in) {
  return std::uint32_t{in[0]} << 24 | std::uint32_t{in[1]} << 16 | std::uint32_t{in[2]} << 8 | in[3];
}

// What the DUKPT file says.
struct Spending {
  std::uint32_t counter{0};  // last spent
  std::uint32_t ceiling{0};  // no value above it was ever spent
  dukpt::DukptDevice device;
};

SecretBytes spending_to_bytes(const Spending& spending, std::uint32_t ceiling) {
  const SecretBytes registers = spending.device.serialise();
  SecretBytes bytes(header_size + registers.size());
  const auto out = bytes.writable();
  out[0] = format_version;
  put_u32(out.subspan(1), spending.counter);
  put_u32(out.subspan(5), ceiling);
  std::ranges::copy(registers.view(), out.subspan(header_size).begin());
  return bytes;
}

Result<Spending> spending_from_bytes(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < header_size || bytes[0] != format_version) {
    return failure(Errc::Corrupt, "the vault's DUKPT file is of another version");
  }
  auto device = dukpt::DukptDevice::deserialise(bytes.subspan(header_size));
  ND_TRY(device);
  return Spending{get_u32(bytes.subspan(1)), get_u32(bytes.subspan(5)), std::move(*device)};
}

// The highest counter value that may be spent when the next `ceiling_ahead` transactions may be.
std::uint32_t ceiling_for(const dukpt::DukptDevice& device) {
  auto value = device.current();
  if (!value) return dukpt::counter_max;
  for (int i = 1; i < ceiling_ahead; ++i) {
    const auto next = dukpt::next_counter(*value);
    if (!next) break;
    value = next;
  }
  return *value;
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

// The key as given, or a fresh one where none is.
Result<SecretBytes> given_or_fresh(const SecretBytes& given, std::size_t size) {
  if (!given.empty()) return SecretBytes(given.view());
  SecretBytes fresh(size);
  ND_TRY(random_bytes(fresh.writable()));
  return fresh;
}

Result<SecretBytes> identity_of(const VaultContents& contents) {
  if (contents.identity_scalar.empty()) {
    const auto fresh = p256_generate();
    ND_TRY(fresh);
    return SecretBytes(fresh->view());
  }
  if (contents.identity_scalar.size() != 32) return failure(Errc::InvalidArgument, "a P-256 scalar has 32 bytes");
  ND_TRY(p256_public_key(contents.identity_scalar.view().first<32>()));
  return SecretBytes(contents.identity_scalar.view());
}

}  // namespace

struct FileKeyVault::State {
  State(VaultDirectory opened, Post to_loop, Spending read)
      : directory(std::move(opened)), post(std::move(to_loop)), spending(std::move(read)) {}

  VaultDirectory directory;
  Post post;
  SecretBytes root_key, queue_key, identity, fingerprint_key;
  P256Point public_key{};
  dukpt::InitialKeyId initial_key_id{};
  KeyType key_type{KeyType::Aes128};
  bool development{false};

  std::mutex disk;
  std::mutex mutex;
  Spending spending;  // its ceiling is the durable one
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

  P256Scalar scalar() const { return identity.view().first<32>(); }

  Result<void> check_fault() {
    const std::lock_guard lock(mutex);
    if (fault && fault()) return failure(Errc::Unavailable, "the vault is made to fail");
    return {};
  }

  // Makes the present registers and a new ceiling durable.
  Result<void> write_spending() {
    const std::lock_guard one_writer(disk);
    std::unique_lock lock(mutex);
    const std::uint32_t ceiling = ceiling_for(spending.device);  // grows with the device
    const int spent_before = spent_since_write;
    const SecretBytes snapshot = spending_to_bytes(spending, ceiling);
    lock.unlock();
    ND_TRY(write_sealed(directory, dukpt_role, root_key.view(), snapshot.view()));
    lock.lock();
    spending.ceiling = ceiling;
    spent_since_write -= spent_before;
    return {};
  }

  // Requires: mutex held.
  void want_write(bool now) {
    ++writes_wanted;
    hurry = hurry || now;
    wake.notify_one();
  }

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [this] { return stopping || writes_wanted != writes_done || !pin_checks.empty(); });
      if (writes_wanted != writes_done) {
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
        if (!written) {
          // Spent keys must not stay on the disk because it was full for a moment.
          if (stopping) return;
          wake.wait_for(lock, retry_after, [this] { return stopping || hurry; });
        }
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
};

Result<void> FileKeyVault::create(const std::filesystem::path& dir, const VaultContents& contents) {
  auto device = dukpt::DukptDevice::load(contents.initial_key.view(), contents.initial_key_id);
  ND_TRY(device);
  if (contents.fingerprint_key.size() < fingerprint_key_min) {
    return failure(Errc::InvalidArgument, "a fingerprint key has at least 16 bytes");
  }
  const auto queue_key = given_or_fresh(contents.queue_key, queue_key_size);
  ND_TRY(queue_key);
  if (queue_key->size() != queue_key_size) return failure(Errc::InvalidArgument, "a queue key has 32 bytes");
  const auto identity = identity_of(contents);
  ND_TRY(identity);
  SecretBytes root_key(root_key_size);
  ND_TRY(random_bytes(root_key.writable()));

  ND_TRY(VaultDirectory::make(dir));
  const auto directory = VaultDirectory::open_locked(dir);
  ND_TRY(directory);
  if (directory->has(root_file)) return failure(Errc::Conflict, "there is a vault already");
  const auto root = root_key.view();
  const Spending spending{0, 0, std::move(*device)};
  const std::string_view marks = contents.development ? development_mark : std::string_view();
  ND_TRY(write_sealed(*directory, queue_role, root, queue_key->view()));
  ND_TRY(write_sealed(*directory, identity_role, root, identity->view()));
  ND_TRY(write_sealed(*directory, fingerprint_role, root, contents.fingerprint_key.view()));
  ND_TRY(write_sealed(*directory, dukpt_role, root, spending_to_bytes(spending, 0).view()));
  ND_TRY(
      write_sealed(*directory, marks_role, root, {reinterpret_cast<const std::uint8_t*>(marks.data()), marks.size()}));
  // Last: with it the vault exists.
  return directory->replace(root_file, root, 0400);
}

Result<std::unique_ptr<FileKeyVault>> FileKeyVault::open(const std::filesystem::path& dir, Post post) {
  auto directory = VaultDirectory::open_locked(dir);
  ND_TRY(directory);
  auto root_key = directory->read(root_file, true);
  ND_TRY(root_key);
  if (root_key->size() != root_key_size) return failure(Errc::Corrupt, "root.key has a wrong length");
  const auto unseal = [&](const char* role) { return read_sealed(*directory, role, root_key->view()); };
  const auto marks = unseal(marks_role);
  ND_TRY(marks);
  const bool development = std::ranges::equal(marks->view(), development_mark);
  if (development && development_refused) {
    return failure(Errc::DevelopmentKey, "this vault holds development keys; a release build refuses them");
  }
  auto queue_key = unseal(queue_role);
  ND_TRY(queue_key);
  auto identity = unseal(identity_role);
  ND_TRY(identity);
  auto fingerprint_key = unseal(fingerprint_role);
  ND_TRY(fingerprint_key);
  const auto spending_bytes = unseal(dukpt_role);
  ND_TRY(spending_bytes);
  auto spending = spending_from_bytes(spending_bytes->view());
  ND_TRY(spending);
  if (queue_key->size() != queue_key_size || identity->size() != 32) {
    return failure(Errc::Corrupt, "a key in the vault has a wrong length");
  }
  const auto public_key = p256_public_key(identity->view().first<32>());
  ND_TRY(public_key);
  directory->remove_leftovers();

  auto state = std::make_unique<State>(std::move(*directory), std::move(post), std::move(*spending));
  state->root_key = std::move(*root_key);
  state->queue_key = std::move(*queue_key);
  state->identity = std::move(*identity);
  state->fingerprint_key = std::move(*fingerprint_key);
  state->public_key = *public_key;
  state->initial_key_id = state->spending.device.initial_key_id();
  state->key_type = envelope_key_type(state->spending.device.key_size());
  state->development = development;
  return std::unique_ptr<FileKeyVault>(new FileKeyVault(std::move(state)));
}

FileKeyVault::FileKeyVault(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->worker = std::thread([s = state_.get()] { s->work(); });
}

FileKeyVault::~FileKeyVault() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->wake.notify_one();
  }
  state_->worker.join();
}

Result<Envelope> FileKeyVault::seal_card(std::span<const std::uint8_t> plaintext, std::string_view aad,
                                         std::span<const std::uint8_t> online_pin, std::span<const std::uint8_t> pan) {
  ND_TRY(state_->check_fault());
  std::unique_lock lock(state_->mutex);
  if (!state_->resumed) return failure(Errc::Unavailable, "the vault was not told what the queue has committed");
  Spending& spending = state_->spending;
  while (spending.device.current() > spending.ceiling) {  // the worker has fallen behind, or its writes fail
    lock.unlock();
    if (const auto written = state_->write_spending(); !written) {
      return failure(Errc::Unavailable, "the vault's file cannot be written", written.error().native);
    }
    lock.lock();
  }
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

std::uint32_t FileKeyVault::counter() const {
  const std::lock_guard lock(state_->mutex);
  return state_->spending.counter;
}

bool FileKeyVault::exhausted() const {
  const std::lock_guard lock(state_->mutex);
  return state_->spending.device.exhausted();
}

Result<void> FileKeyVault::resume_after(std::uint32_t counter, bool queue_was_lost) {
  ND_TRY(state_->check_fault());
  {
    const std::lock_guard lock(state_->mutex);
    Spending& spending = state_->spending;
    // Values up to the ceiling may have been spent and have left the box, whatever the queue remembers: a queue that was
    // rolled back, or lost its last turns, must not lead to one being spent twice. It costs a few of two thousand million.
    const bool ever_spent = spending.counter != 0 || counter != 0 || queue_was_lost;
    const std::uint32_t spent = std::max({counter, spending.counter, ever_spent ? spending.ceiling : 0});
    if (!spending.device.exhausted()) ND_TRY(spending.device.skip_past(spent));
    spending.counter = spent;
  }
  if (const auto written = state_->write_spending(); !written) {
    return failure(Errc::Unavailable, "the vault's file cannot be written", written.error().native);
  }
  const std::lock_guard lock(state_->mutex);
  state_->resumed = true;
  return {};
}

void FileKeyVault::erase_spent_keys() {
  const std::lock_guard lock(state_->mutex);
  state_->want_write(false);
}

Result<void> FileKeyVault::flush() {
  std::unique_lock lock(state_->mutex);
  const std::uint64_t wanted = state_->writes_wanted;
  state_->hurry = true;
  state_->wake.notify_one();
  const std::uint64_t tries = state_->write_tries;
  state_->settled.wait(lock, [this, wanted, tries] { return state_->writes_done >= wanted || state_->write_tries != tries; });
  return state_->last_write;
}

Result<std::string> FileKeyVault::fingerprint(std::span<const std::uint8_t> pan) {
  ND_TRY(state_->check_fault());
  return card_fingerprint(state_->fingerprint_key.view(), pan);
}

Result<std::vector<std::uint8_t>> FileKeyVault::sign(std::span<const std::uint8_t> message) {
  ND_TRY(state_->check_fault());
  return p256_sign(state_->scalar(), message);
}

Result<std::vector<std::uint8_t>> FileKeyVault::sign_digest(std::span<const std::uint8_t> digest) {
  ND_TRY(state_->check_fault());
  return p256_sign_digest(state_->scalar(), digest);
}

Result<void> FileKeyVault::with_queue_key(const std::function<Result<void>(std::span<const std::uint8_t, 32>)>& use) {
  ND_TRY(state_->check_fault());
  return use(state_->queue_key.view().first<32>());
}

void FileKeyVault::check_pin(SecretBytes pin, std::vector<std::uint8_t> salt, std::vector<std::uint8_t> hash,
                             std::uint32_t iterations, std::function<void(bool matches)> done) {
  const std::lock_guard lock(state_->mutex);
  state_->pin_checks.push_back({std::move(pin), std::move(salt), std::move(hash), iterations, std::move(done)});
  state_->wake.notify_one();
}

const P256Point& FileKeyVault::identity_public_key() const {
  return state_->public_key;
}
const dukpt::InitialKeyId& FileKeyVault::initial_key_id() const {
  return state_->initial_key_id;
}
KeyType FileKeyVault::key_type() const {
  return state_->key_type;
}
bool FileKeyVault::is_development() const {
  return state_->development;
}

void FileKeyVault::set_fault(std::function<bool()> fault) {
  const std::lock_guard lock(state_->mutex);
  state_->fault = std::move(fault);
}

}  // namespace nightdrop

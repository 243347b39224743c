#include "provisioning/reader_home.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>

#include "crypto/p256.hpp"
#include "crypto/primitives.hpp"
#include "nightdrop/durable_file.hpp"
#include "nightdrop/encoding.hpp"
#include "provisioning/erase_order.hpp"
#include "provisioning/home_files.hpp"

namespace nightdrop::provisioning {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t text_max = 256 * 1024;
constexpr const char* config_file = "nightdrop.json";
constexpr const char* erasing_file = "nightdrop.json.erased";  // the configuration, once an erasure has begun
constexpr const char* factory_file = "factory.key";
constexpr const char* commit_mark = "COMMIT";

std::unexpected<std::string> refuse(std::string_view what, const Error& error) {
  return std::unexpected(std::string(what).append(": ").append(error.text));
}

bool inside(const fs::path& folder, const fs::path& path) {
  const auto [end, at] = std::ranges::mismatch(folder, path);
  return end == folder.end() && at != path.end();
}

}  // namespace

struct FileReaderHome::State {
  ReaderHomeSettings settings;
  Descriptor lock;
  Secret<32> factory_key;
  P256Point factory_point{};
  std::optional<VaultMaker> maker;       // from make_identity() to install()
  std::optional<P256Point> identity;     // of the vault that is staged
  std::unique_ptr<hal::KeyVault> vault;  // from install() on, staged

  fs::path home(std::string_view name) const { return settings.folder / name; }
  fs::path staging() const { return home(".new"); }
  fs::path staged(std::string_view name) const { return staging() / name; }
  bool provisioned() const { return fs::exists(home(config_file)); }
  void reach(std::string_view step) const {
    if (settings.crash_point) settings.crash_point(step);
  }

  Result<void> take_folder();
  Result<void> load_factory_key();
  Result<void> recover();
  Result<void> destroy_vault_root(const fs::path& folder, const VaultConfig& root) const;
  Result<void> wipe_staging() const;
  void let_go();
  Result<void> roll_forward();
  Result<void> make_places();
  Result<void> finish_erasing();
  Result<void> clear_queue(const fs::path& queue);
  Result<x509::Certificate> certificate() const;
  std::optional<Config> config_of(std::string_view name) const;
  std::string initial_key_id() const;
};

// One process at a time: two would stage into the same place.
Result<void> FileReaderHome::State::take_folder() {
  ND_TRY(make_private_folder(settings.folder));
  lock = Descriptor(::open(settings.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.valid()) return failure(Errc::Io, "the reader's home cannot be opened", errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return failure(Errc::Busy, "another process has the reader's home", errno);
  }
  return {};
}

Result<void> FileReaderHome::State::load_factory_key() {
  const fs::path file = home(factory_file);
  if (!fs::exists(file)) {
    const auto fresh = p256_generate();
    ND_TRY(fresh);
    ND_TRY(replace_file(file, fresh->view()));
  }
  const auto folder = VaultDirectory::open(settings.folder);
  ND_TRY(folder);
  const auto bytes = folder->read(factory_file, true);
  ND_TRY(bytes);
  if (bytes->size() != 32) return failure(Errc::Corrupt, "factory.key has a wrong length");
  factory_key = Secret<32>(bytes->view().first<32>());
  const auto point = p256_public_key(factory_key.view());
  if (!point) return failure(Errc::Corrupt, "factory.key holds no private key");
  factory_point = *point;
  return {};
}

Result<void> FileReaderHome::State::recover() {
  if (fs::exists(staged(commit_mark))) return roll_forward();
  ND_TRY(wipe_staging());
  if (fs::exists(home(erasing_file))) return finish_erasing();
  return {};
}

// A root in a token is more than its file: it is destroyed while the file still names it.
Result<void> FileReaderHome::State::destroy_vault_root(const fs::path& folder, const VaultConfig& root) const {
  if (!fs::exists(folder)) return {};
  const auto directory = VaultDirectory::open_locked(folder);
  ND_TRY(directory);
  return destroy_root(*directory, settings.root_settings(root));
}

Result<void> FileReaderHome::State::wipe_staging() const {
  ND_TRY(destroy_vault_root(staged("vault"), settings.vault));
  return destroy(staging());
}

// Closes what is open in the staging folder.
void FileReaderHome::State::let_go() {
  vault.reset();
  maker.reset();
  identity.reset();
}

// Requires: the mark is durable. May be done again from any point.
Result<void> FileReaderHome::State::roll_forward() {
  for (const std::string_view name : installed_files()) {
    if (name == config_file) {
      reach("commit vault");
      ND_TRY(move(staged("vault"), home("vault")));
      reach("commit places");
      ND_TRY(make_places());
      // What nightdrop.json speaks of is there before it.
      ND_TRY(sync_folder(settings.folder));
    }
    reach(std::string("commit ").append(name));
    ND_TRY(move(staged(name), home(name)));
  }
  ND_TRY(sync_folder(settings.folder));
  reach("commit unmark");
  return destroy(staging());
}

// The folders that the configuration wants inside the home: queue and sockets.
Result<void> FileReaderHome::State::make_places() {
  const fs::path file = fs::exists(staged(config_file)) ? staged(config_file) : home(config_file);
  const auto text = read_text_file(file, text_max);
  ND_TRY(text);
  const auto config = parse_config(*text, home(config_file).string());
  if (!config) return failure(Errc::Corrupt, "the staged configuration cannot be read");
  const std::array places{fs::path(config->queue_dir), fs::path(config->pos_socket.path).parent_path(),
                          fs::path(config->sim_socket).parent_path()};
  for (const fs::path& place : places) {
    if (inside(settings.folder, place)) ND_TRY(make_private_folder(place));
  }
  return {};
}

// The configuration in a file of the home, as nightdrop.json; nothing where it cannot be read.
std::optional<Config> FileReaderHome::State::config_of(std::string_view name) const {
  const auto text = read_text_file(home(name), text_max);
  if (!text) return std::nullopt;
  auto config = parse_config(*text, home(config_file).string());
  return config ? std::optional(std::move(*config)) : std::nullopt;
}

// Requires: nightdrop.json is no more. Keys go first; what is sealed under them is worth nothing then.
Result<void> FileReaderHome::State::finish_erasing() {
  const auto config = config_of(erasing_file);
  reach("erase vault");
  if (config && fs::exists(home("vault"))) {
    const auto opened = settings.open_vault(home("vault"), *config);
    if (opened) {
      ND_TRY((*opened)->erase());
    } else if (opened.error().code == Errc::Busy) {
      return std::unexpected(opened.error());
    }
  }
  // Of a vault that did not open any more.
  if (config) ND_TRY(destroy_vault_root(home("vault"), config->vault));
  reach("erase vault files");
  ND_TRY(destroy(home("vault")));
  reach("erase queue");
  if (config) ND_TRY(clear_queue(config->queue_dir));
  for (const std::string_view name : installed_files()) {
    if (name == config_file) continue;
    reach(std::string("erase ").append(name));
    ND_TRY(destroy(home(name)));
  }
  reach("erase end");
  return destroy(home(erasing_file));
}

// The queue's own files and no others (docs/store_format.md): a folder may be shared, and a sealed export holds
// payments that wait and are nowhere else.
Result<void> FileReaderHome::State::clear_queue(const fs::path& queue) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator at(queue, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    const bool own = name.starts_with("queue.") || name == "reserve.bin" || name.starts_with("policy.accepted.json");
    std::error_code unknown;
    if (own && !at->is_directory(unknown)) files.push_back(at->path());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return failure(Errc::Io, "the queue's folder cannot be read", error.value());
  }
  for (const fs::path& file : files) ND_TRY(destroy(file));
  return {};
}

Result<x509::Certificate> FileReaderHome::State::certificate() const {
  const auto pem = read_text_file(home("reader.pem"), text_max);
  ND_TRY(pem);
  return x509::parse_certificate_pem(*pem);
}

// Zeros where the vault does not tell: erased, or in a daemon's hands.
std::string FileReaderHome::State::initial_key_id() const {
  const auto config = config_of(config_file);
  if (!config) return std::string(16, '0');
  const auto opened = settings.open_vault(home("vault"), *config);
  return opened ? hex_lower((*opened)->marks().initial_key_id) : std::string(16, '0');
}

FileReaderHome::FileReaderHome(std::unique_ptr<State> state) : state_(std::move(state)) {}
FileReaderHome::~FileReaderHome() = default;

Result<std::unique_ptr<FileReaderHome>> FileReaderHome::open(ReaderHomeSettings settings) {
  auto state = std::make_unique<State>();
  state->settings = std::move(settings);
  std::error_code error;
  state->settings.folder = fs::absolute(state->settings.folder, error).lexically_normal();
  if (!state->settings.folder.has_filename()) state->settings.folder = state->settings.folder.parent_path();
  ND_TRY(state->take_folder());
  ND_TRY(state->load_factory_key());
  ND_TRY(state->recover());
  return std::unique_ptr<FileReaderHome>(new FileReaderHome(std::move(state)));
}

ReaderHello FileReaderHome::facts() const {
  ReaderHello facts;
  facts.serial_number = state_->settings.serial_number;
  facts.factory_key = state_->factory_point;
  facts.firmware_version = state_->settings.firmware_version;
  if (!state_->provisioned()) return facts;
  facts.state = ReaderState::Provisioned;
  const auto certificate = state_->certificate();
  facts.certificate_serial = certificate ? certificate->serial_number : "0";
  facts.initial_key_id = state_->initial_key_id();
  return facts;
}

Result<x509::Bytes> FileReaderHome::sign_with_factory_key(std::span<const std::uint8_t> message) {
  return p256_sign(state_->factory_key.view(), message);
}

OrReason<x509::Bytes> FileReaderHome::make_identity(std::string_view common_name) {
  if (common_name != state_->settings.serial_number) {
    return std::unexpected("common_name: must be this reader's serial number");
  }
  forget_staged();
  // Of a reader that was taken apart by hand: to provision over it would lose what its vault can still open.
  if (fs::exists(state_->home("vault"))) return std::unexpected("state: there is a vault in the reader's home already");
  state_->reach("identity");
  if (const auto made = make_private_folder(state_->staging()); !made) return refuse("staging", made.error());
  auto maker = VaultMaker::begin(state_->staged("vault"), state_->settings.root_settings(state_->settings.vault));
  if (!maker) return refuse("identity key", maker.error());
  state_->maker.emplace(std::move(*maker));
  state_->identity = state_->maker->public_key();
  const x509::Signer signer{state_->maker->public_key(), [this](std::span<const std::uint8_t> digest) {
                              return state_->maker->sign_digest(digest);
                            }};
  auto request = x509::make_request(signer, common_name);
  if (!request) return refuse("certificate request", request.error());
  return std::move(*request);
}

OrReason<Installed> FileReaderHome::install(const Installation& what, std::span<const std::uint8_t> kbpk) {
  if (!state_->maker) return std::unexpected("type: install comes once, after make_identity");
  const ReaderFacts facts{state_->settings.folder,    state_->settings.serial_number, *state_->identity,
                          state_->settings.authority, state_->settings.vault,         state_->settings.wall_clock()};
  const auto checked = check_installation(what, facts, kbpk);
  if (!checked) return std::unexpected(checked.error());
  state_->reach("install vault");
  if (const auto made = state_->maker->complete(checked->contents); !made) return refuse("vault", made.error());
  state_->maker.reset();
  for (const File& file : what.files) {
    state_->reach("install " + file.name);
    const auto written = write_new_file(state_->staged(file.name), bytes_of(file.content));
    if (!written) return refuse(file.name, written.error());
  }
  // As the daemon will: what cannot be opened here must not come into force.
  auto vault = state_->settings.open_vault(state_->staged("vault"), checked->config);
  if (!vault) return refuse("vault", vault.error());
  if (const auto resumed = (*vault)->resume({}, hal::Older::Refuse); !resumed) return refuse("vault", resumed.error());
  state_->vault = std::move(*vault);
  return checked->check_values;
}

OrReason<Proof> FileReaderHome::prove(std::span<const std::uint8_t, 32> challenge) {
  if (!state_->vault) return std::unexpected("type: prove comes after install");
  const std::string message = proof_message(state_->settings.serial_number, challenge);
  auto proof = state_->vault->prove(bytes_of(message));
  if (!proof) return refuse("proof", proof.error());
  return Proof{std::move(proof->signature), proof->ksn, {proof->mac.begin(), proof->mac.end()}};
}

OrReason<void> FileReaderHome::commit() {
  if (!state_->vault) return std::unexpected("type: commit comes after prove");
  state_->let_go();
  state_->reach("commit mark");
  const auto marked = replace_file(state_->staged(commit_mark), "");
  if (!marked) return refuse("commit", marked.error());
  if (const auto done = state_->roll_forward(); !done) return refuse("commit", done.error());
  return {};
}

OrReason<void> FileReaderHome::erase(std::string_view order) {
  const ReaderHomeSettings& settings = state_->settings;
  const auto certificate = state_->certificate();
  if (!certificate) return refuse("reader.pem", certificate.error());
  const auto checked = check_erase_order(order, settings.authority, settings.serial_number, certificate->serial_number,
                                         settings.wall_clock());
  if (!checked) return std::unexpected(checked.error());
  const auto config = state_->config_of(config_file);
  if (!config) return std::unexpected("nightdrop.json: cannot be read");
  if (settings.may_erase) {
    if (auto allowed = settings.may_erase(*config); !allowed) return allowed;
  }
  // A daemon at work has the vault: the reader is not taken away under it.
  if (const auto vault = settings.open_vault(config->vault_dir, *config); !vault && vault.error().code == Errc::Busy) {
    return std::unexpected("state: the reader is at work; stop its daemon first");
  }
  state_->reach("erase begin");
  if (const auto begun = move(state_->home(config_file), state_->home(erasing_file)); !begun) {
    return refuse("erase", begun.error());
  }
  if (const auto durable = sync_folder(settings.folder); !durable) return refuse("erase", durable.error());
  if (const auto done = state_->finish_erasing(); !done) return refuse("erase", done.error());
  return {};
}

void FileReaderHome::forget_staged() {
  state_->let_go();
  // After the mark there is no way back: what could not be moved is moved at the next start at the latest.
  if (fs::exists(state_->staged(commit_mark))) {
    (void)state_->roll_forward();
  } else {
    (void)state_->wipe_staging();
  }
}

}  // namespace nightdrop::provisioning

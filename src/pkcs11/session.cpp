// Slots, sessions and the search for objects.
#include "pkcs11/session.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nightdrop::pkcs11 {
namespace {

constexpr std::size_t label_max = 32;

Result<std::vector<CK_SLOT_ID>> slots(const Functions& functions) {
  CK_ULONG count = 0;
  ND_CHECK(functions.C_GetSlotList(CK_TRUE, nullptr, &count), "the slots of the PKCS#11 module cannot be listed");
  std::vector<CK_SLOT_ID> all(count);
  ND_CHECK(functions.C_GetSlotList(CK_TRUE, all.data(), &count), "the slots of the PKCS#11 module cannot be listed");
  all.resize(count);
  return all;
}

std::optional<CK_TOKEN_INFO> token_info(const Functions& functions, CK_SLOT_ID slot) {
  CK_TOKEN_INFO info{};
  if (functions.C_GetTokenInfo(slot, &info) != CKR_OK) return std::nullopt;
  return info;
}

CK_UTF8CHAR* mutable_bytes(const SecretBytes& pin) {
  return const_cast<CK_UTF8CHAR*>(pin.view().data());
}

Result<CK_SLOT_ID> free_slot(const Functions& functions) {
  const auto all = slots(functions);
  if (!all) return std::unexpected(all.error());
  for (const CK_SLOT_ID slot : *all) {
    const auto info = token_info(functions, slot);
    if (info && (info->flags & CKF_TOKEN_INITIALIZED) == 0) return slot;
  }
  return failure(Errc::Io, "the PKCS#11 module has no free slot for a new token");
}

bool has_user_pin(const Functions& functions, CK_SLOT_ID slot) {
  const auto info = token_info(functions, slot);
  return info && (info->flags & CKF_USER_PIN_INITIALIZED) != 0;
}

Result<void> make_token(const Functions& functions, std::string_view token_label, const SecretBytes& so_pin,
                        const SecretBytes& user_pin) {
  const auto slot = free_slot(functions);
  if (!slot) return std::unexpected(slot.error());
  const auto info = token_info(functions, *slot);
  for (const SecretBytes* pin : {&so_pin, &user_pin}) {
    if (info && (pin->size() < info->ulMinPinLen || pin->size() > info->ulMaxPinLen)) {
      return failure(Errc::InvalidArgument, "a PIN is shorter or longer than the token takes");
    }
  }
  std::array<CK_UTF8CHAR, label_max> label{};
  label.fill(' ');
  std::copy(token_label.begin(), token_label.end(), label.begin());
  ND_CHECK(functions.C_InitToken(*slot, mutable_bytes(so_pin), so_pin.size(), label.data()),
           "the token cannot be initialised");
  return {};
}

Result<void> set_user_pin(const Functions& functions, CK_SESSION_HANDLE session, const SecretBytes& so_pin,
                          const SecretBytes& user_pin) {
  ND_CHECK(functions.C_Login(session, CKU_SO, mutable_bytes(so_pin), so_pin.size()),
           "the new token's officer cannot log in");
  const CK_RV set = functions.C_InitPIN(session, mutable_bytes(user_pin), user_pin.size());
  functions.C_Logout(session);
  ND_CHECK(set, "the new token does not take the PIN");
  return {};
}

}  // namespace

Result<CK_SLOT_ID> find_slot(const Functions& functions, std::string_view token_label) {
  const auto all = slots(functions);
  if (!all) return std::unexpected(all.error());
  for (const CK_SLOT_ID slot : *all) {
    const auto info = token_info(functions, slot);
    if (info && (info->flags & CKF_TOKEN_INITIALIZED) != 0 && text_of(info->label) == token_label) return slot;
  }
  return failure(Errc::NotFound, "the PKCS#11 module has no token of that label");
}

std::string describe(const Functions& functions, CK_SLOT_ID slot) {
  const auto info = token_info(functions, slot);
  if (!info) return "a token that does not say what it is";
  return text_of(info->manufacturerID) + " " + text_of(info->model) + ", serial number " + text_of(info->serialNumber);
}

Session::~Session() {
  // The last session's end logs out; a C_Logout here would log out the other sessions of this process.
  if (session != 0) functions->C_CloseSession(session);
}

Result<std::vector<CK_OBJECT_HANDLE>> Session::find(Template& wanted) {
  ND_CHECK(functions->C_FindObjectsInit(session, wanted.data(), wanted.size()), "the token's objects cannot be listed");
  std::vector<CK_OBJECT_HANDLE> found;
  std::array<CK_OBJECT_HANDLE, 32> some{};
  CK_ULONG count = 0;
  CK_RV code = CKR_OK;
  do {
    code = functions->C_FindObjects(session, some.data(), some.size(), &count);
    if (code == CKR_OK) found.insert(found.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(count));
  } while (code == CKR_OK && count != 0);
  functions->C_FindObjectsFinal(session);
  ND_CHECK(code, "the token's objects cannot be listed");
  return found;
}

Result<std::vector<CK_OBJECT_HANDLE>> Session::find(CK_OBJECT_CLASS kind, std::string_view label) {
  Template wanted;
  wanted.number(CKA_CLASS, kind).text(CKA_LABEL, label);
  return find(wanted);
}

Result<CK_OBJECT_HANDLE> Session::key(std::string_view label) {
  if (const auto known = secret_keys.find(label); known != secret_keys.end()) return known->second;
  for (const CK_OBJECT_CLASS kind : {CKO_SECRET_KEY, CKO_PRIVATE_KEY}) {
    const auto found = find(kind, label);
    if (!found) return std::unexpected(found.error());
    if (found->size() > 1) return failure(Errc::Conflict, "the token has two keys of one label");
    if (found->size() == 1) return secret_keys.emplace(label, found->front()).first->second;
  }
  return failure(Errc::NotFound, "the token has no key of that label");
}

Result<CK_OBJECT_HANDLE> Session::public_key(std::string_view label) {
  if (const auto known = public_keys.find(label); known != public_keys.end()) return known->second;
  const auto found = find(CKO_PUBLIC_KEY, label);
  if (!found) return std::unexpected(found.error());
  if (found->empty()) return failure(Errc::NotFound, "the token has no public key of that label");
  return public_keys.emplace(label, found->front()).first->second;
}

Result<void> Session::expect_free(std::string_view label) {
  if (label.empty()) return failure(Errc::InvalidArgument, "a key has a label");
  const auto taken = key(label);
  if (taken) return failure(Errc::Conflict, "the token has a key of that label already");
  if (taken.error().code != Errc::NotFound) return std::unexpected(taken.error());
  return {};
}

Result<void> Session::settle() const {
  if (softhsm_tokens.empty()) return {};
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<fs::path> all{softhsm_tokens};
  for (const auto& entry : fs::recursive_directory_iterator(softhsm_tokens, error)) all.push_back(entry.path());
  if (error) return failure(Errc::Io, "SoftHSM's folder cannot be read", error.value());
  for (const fs::path& path : all) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 && errno == ENOENT) continue;  // another process's object, destroyed meanwhile
    const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
    const int reason = errno;
    if (descriptor >= 0) ::close(descriptor);
    if (!synced) return failure(Errc::Io, "SoftHSM's folder cannot be made durable", reason);
  }
  return {};
}

Result<std::vector<std::uint8_t>> Session::bytes_attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
  CK_ATTRIBUTE attribute{type, nullptr, 0};
  ND_CHECK(functions->C_GetAttributeValue(session, object, &attribute, 1), "an object of the token cannot be read");
  std::vector<std::uint8_t> bytes(attribute.ulValueLen);
  attribute.pValue = bytes.data();
  ND_CHECK(functions->C_GetAttributeValue(session, object, &attribute, 1), "an object of the token cannot be read");
  bytes.resize(attribute.ulValueLen);
  return bytes;
}

std::optional<CK_ULONG> Session::number_attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
  CK_ULONG value = 0;
  CK_ATTRIBUTE attribute{type, &value, sizeof(value)};
  if (functions->C_GetAttributeValue(session, object, &attribute, 1) != CKR_OK) return std::nullopt;
  return value;
}

bool Session::flag_attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, bool if_absent) {
  CK_BBOOL value = CK_FALSE;
  CK_ATTRIBUTE attribute{type, &value, sizeof(value)};
  if (functions->C_GetAttributeValue(session, object, &attribute, 1) != CKR_OK) return if_absent;
  return value != CK_FALSE;
}

Result<void> Token::initialise(const TokenLocation& where, const SecretBytes& so_pin, const SecretBytes& user_pin) {
  if (where.token_label.empty() || where.token_label.size() > label_max) {
    return failure(Errc::InvalidArgument, "a token's label has 1 to 32 bytes");
  }
  const auto functions = load_module(where.module);
  if (!functions) return std::unexpected(functions.error());
  auto slot = find_slot(**functions, where.token_label);
  if (!slot && slot.error().code != Errc::NotFound) return std::unexpected(slot.error());
  if (slot && has_user_pin(**functions, *slot)) {
    return failure(Errc::Conflict, "a token of that label is there already");
  }
  if (!slot) {  // else: a crash came between the token and its PIN
    ND_TRY(make_token(**functions, where.token_label, so_pin, user_pin));
    slot = find_slot(**functions, where.token_label);  // SoftHSM gives the token another slot's number
    if (!slot) return std::unexpected(slot.error());
  }
  CK_SESSION_HANDLE session = 0;
  ND_CHECK((*functions)->C_OpenSession(*slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session),
           "the new token gives no session");
  auto set = set_user_pin(**functions, session, so_pin, user_pin);
  (*functions)->C_CloseSession(session);
  return set;
}

namespace {

// Where use_softhsm_folder() put the tokens; empty where SoftHSM is configured otherwise.
std::string softhsm_folder_of_ours() {
  const char* configuration = std::getenv("SOFTHSM2_CONF");
  if (configuration == nullptr) return "";
  const auto folder = std::filesystem::path(configuration).parent_path() / "tokens";
  std::error_code ignored;
  return std::filesystem::is_directory(folder, ignored) ? folder.string() : "";
}

}  // namespace

Token::Token(std::unique_ptr<Session> state) : state_(std::move(state)) {}
Token::~Token() = default;

Result<std::unique_ptr<Token>> Token::open(const TokenLocation& where, const SecretBytes& user_pin) {
  const auto functions = load_module(where.module);
  if (!functions) return std::unexpected(functions.error());
  const auto slot = find_slot(**functions, where.token_label);
  if (!slot) return std::unexpected(slot.error());
  auto state = std::make_unique<Session>();
  state->functions = *functions;
  state->description = describe(**functions, *slot);
  if (where.module == softhsm_module) state->softhsm_tokens = softhsm_folder_of_ours();
  ND_CHECK((*functions)->C_OpenSession(*slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &state->session),
           "the token gives no session");
  const CK_RV code = (*functions)->C_Login(state->session, CKU_USER, mutable_bytes(user_pin), user_pin.size());
  // A process logs in once for all of its sessions: another Token of this process has done it.
  if (code != CKR_USER_ALREADY_LOGGED_IN) ND_CHECK(code, "the token does not take the PIN");
  return std::unique_ptr<Token>(new Token(std::move(state)));
}

std::string Token::description() const {
  return state_->description;
}

Result<void> use_softhsm_folder(const std::string& folder) {
  namespace fs = std::filesystem;
  const fs::path at = fs::absolute(folder).lexically_normal();
  const fs::path file = at / "softhsm2.conf";
  const char* before = std::getenv("SOFTHSM2_CONF");
  if (is_loaded(softhsm_module)) {
    if (before != nullptr && file == before) return {};
    return failure(Errc::Conflict, "SoftHSM runs in this process with another folder");
  }
  std::error_code error;
  fs::create_directories(at / "tokens", error);
  if (error || ::chmod(at.c_str(), 0700) != 0 || ::chmod((at / "tokens").c_str(), 0700) != 0) {
    return failure(Errc::Io, "SoftHSM's folder cannot be made", error ? error.value() : errno);
  }
  const std::string wanted = "directories.tokendir = " + (at / "tokens").string() +
                             "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n";
  std::stringstream now;
  now << std::ifstream(file).rdbuf();
  if (now.str() != wanted) {  // another process may read it at this moment
    std::ofstream out(file, std::ios::trunc);
    if (!(out << wanted).flush() || ::chmod(file.c_str(), 0600) != 0)
      return failure(Errc::Io, "SoftHSM's configuration cannot be written");
  }
  if (::setenv("SOFTHSM2_CONF", file.c_str(), 1) != 0)
    return failure(Errc::Io, "SoftHSM's folder cannot be set", errno);
  return {};
}

}  // namespace nightdrop::pkcs11

// Loading a module with dlopen(). Nothing is ever unloaded: a module has threads, handlers and locks of its own, and
// none of the known ones survives dlclose() unharmed.
#include "pkcs11/cryptoki.hpp"

#include <map>
#include <mutex>

#include <dlfcn.h>

namespace nightdrop::pkcs11 {
namespace {

struct Modules {
  std::mutex mutex;
  std::map<std::string, const Functions*> loaded;
};

// Never destroyed: Tokens of other static objects may outlive it otherwise.
Modules& modules() {
  static auto* const all = new Modules;
  return *all;
}

CK_BBOOL yes = CK_TRUE;
CK_BBOOL no = CK_FALSE;

}  // namespace

Result<const Functions*> load_module(const std::string& path) {
  Modules& all = modules();
  const std::lock_guard lock(all.mutex);
  if (const auto found = all.loaded.find(path); found != all.loaded.end()) return found->second;
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return failure(Errc::Io, "the PKCS#11 module cannot be loaded");
  CK_C_GetFunctionList get = nullptr;
  *reinterpret_cast<void**>(&get) = dlsym(library, "C_GetFunctionList");
  CK_FUNCTION_LIST* functions = nullptr;
  if (get == nullptr || get(&functions) != CKR_OK || functions == nullptr) {
    return failure(Errc::Io, "this is not a PKCS#11 module");
  }
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  const CK_RV code = functions->C_Initialize(&arguments);
  if (code != CKR_OK && code != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
    return failure(Errc::Io, "the PKCS#11 module cannot be initialised", static_cast<int>(code));
  }
  all.loaded.emplace(path, functions);
  return functions;
}

bool is_loaded(const std::string& path) {
  Modules& all = modules();
  const std::lock_guard lock(all.mutex);
  return all.loaded.contains(path);
}

std::unexpected<Error> refused(CK_RV code, const char* text) {
  Errc meaning = Errc::CryptoFailed;
  switch (code) {
    case CKR_PIN_INCORRECT: meaning = Errc::WrongKey; break;
    case CKR_PIN_LOCKED: meaning = Errc::Unavailable; break;
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
    case CKR_DATA_LEN_RANGE:
    case CKR_ARGUMENTS_BAD:
    case CKR_KEY_SIZE_RANGE: meaning = Errc::InvalidArgument; break;
    case CKR_KEY_UNEXTRACTABLE:
    case CKR_KEY_NOT_WRAPPABLE: meaning = Errc::Unsupported; break;
    case CKR_KEY_HANDLE_INVALID:
    case CKR_OBJECT_HANDLE_INVALID: meaning = Errc::NotFound; break;
    case CKR_DEVICE_ERROR:
    case CKR_DEVICE_REMOVED:
    case CKR_TOKEN_NOT_PRESENT: meaning = Errc::Io; break;
    default: break;
  }
  return failure(meaning, text, static_cast<int>(code));
}

std::string text_of(std::span<const unsigned char> field) {
  std::string text(field.begin(), field.end());
  const std::size_t last = text.find_last_not_of(std::string_view(" \0", 2));
  text.resize(last == std::string::npos ? 0 : last + 1);
  return text;
}

Template& Template::flag(CK_ATTRIBUTE_TYPE type, bool value) {
  attributes_.push_back({type, value ? &yes : &no, sizeof(CK_BBOOL)});
  return *this;
}

Template& Template::number(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
  attributes_.push_back({type, &numbers_.emplace_back(value), sizeof(CK_ULONG)});
  return *this;
}

Template& Template::bytes(CK_ATTRIBUTE_TYPE type, std::span<const std::uint8_t> value) {
  attributes_.push_back({type, const_cast<std::uint8_t*>(value.data()), value.size()});
  return *this;
}

Template& Template::text(CK_ATTRIBUTE_TYPE type, std::string_view value) {
  return bytes(type, {reinterpret_cast<const std::uint8_t*>(value.data()), value.size()});
}

}  // namespace nightdrop::pkcs11

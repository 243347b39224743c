// Cryptoki as this folder uses it: the header, the loaded module, attributes in templates, and what its return values
// mean in this project's terms. A module is loaded and initialised once a process and stays: C_Initialize is the
// process's, so this is the one place of the tree that holds state for a whole process.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <p11-kit/pkcs11.h>

#include "nightdrop/result.hpp"

namespace nightdrop::pkcs11 {

using Functions = CK_FUNCTION_LIST;

// The functions of the module at `path`, initialised with the operating system's locks.
// Errors: Io (it cannot be loaded or initialised).
[[nodiscard]] Result<const Functions*> load_module(const std::string& path);
bool is_loaded(const std::string& path);

// A CKR_… as an error; `text` is what could not be done.
std::unexpected<Error> refused(CK_RV code, const char* text);

#define ND_CHECK(call, text)                                                      \
  do {                                                                            \
    if (const CK_RV nd_rv = (call); nd_rv != CKR_OK) return refused(nd_rv, text); \
  } while (false)

// A fixed field of Cryptoki, padded with blanks, as text.
std::string text_of(std::span<const unsigned char> field);

// Attributes, each with its value kept for as long as the template lives.
class Template {
 public:
  Template() = default;
  Template(const Template&) = delete;
  Template& operator=(const Template&) = delete;
  Template(Template&&) = default;

  Template& flag(CK_ATTRIBUTE_TYPE type, bool value);
  Template& number(CK_ATTRIBUTE_TYPE type, CK_ULONG value);
  // Lifetime: the bytes', not copied: they may be a key's.
  Template& bytes(CK_ATTRIBUTE_TYPE type, std::span<const std::uint8_t> value);
  Template& text(CK_ATTRIBUTE_TYPE type, std::string_view value);

  CK_ATTRIBUTE* data() { return attributes_.data(); }
  CK_ULONG size() const { return attributes_.size(); }

 private:
  std::vector<CK_ATTRIBUTE> attributes_;
  std::deque<CK_ULONG> numbers_;  // its elements stay where they are
};

}  // namespace nightdrop::pkcs11

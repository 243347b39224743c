// Certificates in files: a whole new file or the old one, whatever happens on the way.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "x509/certificate.hpp"

namespace nightdrop::x509 {

// A file of at most 64 KiB. Errors: NotFound, Io, Malformed (longer).
[[nodiscard]] Result<std::string> read_text_file(const std::string& path);
// The file's certificates, in order. Errors: as read_text_file() and parse_chain_pem().
[[nodiscard]] Result<std::vector<Certificate>> read_chain_file(const std::string& path);
// Puts `text` in the file's place; mode 0644.
// Ensures: durable on return; after a power cut at any moment the file is the old one or the new one.
// Errors: Io, DiskFull; the old file is as it was.
[[nodiscard]] Result<void> replace_file(const std::string& path, std::string_view text);

}  // namespace nightdrop::x509

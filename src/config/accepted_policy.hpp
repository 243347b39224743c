// The policy that this reader has taken, document and signature in one file, so that a power cut leaves the old pair or
// the new one whole: the pair of files that a person puts in place can be caught between the two. What is read back is
// believed no more than any other policy: load_policy() verifies it again.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "nightdrop/policy.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop {

struct AcceptedPolicy {
  std::string document;
  std::string signature;  // base64
  // The signature beside the configured file when this one came from elsewhere: the configured file, found unchanged
  // and older, is no attempt to go back.
  std::string supersedes;
  std::string reader;                    // whose copy it is: a reader that was made anew does not go on with it
  std::optional<PolicyRefusal> refused;  // a later one that was not taken
};

// Errors: NotFound, Malformed (no such document), Io.
Result<AcceptedPolicy> read_accepted_policy(const std::string& file);

// Ensures: on return the file is durable; a crash before it leaves the old content. Readable by its owner alone: it
// holds PIN hashes. Errors: DiskFull, Io.
Result<void> write_accepted_policy(const std::string& file, const AcceptedPolicy& accepted);

// A file of at most a mebibyte, whole. Errors: NotFound, Io.
Result<std::string> read_whole_file(const std::string& file);

}  // namespace nightdrop

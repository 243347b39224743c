// Looks for card numbers in every file of a folder, in each form in which one could have been written down by mistake:
// digits, digits in UTF-16, two digits to a byte (also when begun at half a byte), hex of the digits, and base64 of
// digits or of packed digits at each of its three alignments. Base64 that says too little, as that of a test number
// of many zeros, is left out: certificates would hold it by chance. Ciphertext holds a number about once in 2^50 bytes.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nightdrop::simulator {

struct PanFinding {
  std::string file;
  std::string form;  // "digits", "packed digits", …
  std::string last4;
};

struct PanScan {
  std::size_t files{0};
  std::uint64_t bytes{0};
  std::size_t unreadable{0};  // files that could not be read: then nothing is proved
  std::vector<PanFinding> findings;
};

class PanScanner {
 public:
  static constexpr std::size_t findings_max = 100;  // of one text; one is bad enough

  // Requires: each 12 to 19 digits.
  explicit PanScanner(const std::set<std::string>& pans);

  std::size_t pans() const { return pans_; }
  // Every regular file below `folder`, logs, databases and their WAL included.
  PanScan scan_folder(const std::string& folder) const;
  void scan(std::string_view bytes, const std::string& file, std::vector<PanFinding>& findings) const;

 private:
  struct Pattern {
    std::string bytes;
    const char* form;
    std::string last4;
    int nibble_before{-1};  // the low half of the byte before must be this digit; -1: anything
    int nibble_after{-1};   // the high half of the byte after
    bool matches(std::string_view text, std::size_t at) const;
  };
  void add(Pattern pattern);
  void add_packed(const std::string& pan);
  void add_base64(const std::string& bytes, const char* form, const std::string& last4);

  std::size_t pans_;
  std::vector<Pattern> patterns_;
  std::vector<bool> begins_;                                      // by the first two bytes: most places end here
  std::unordered_multimap<std::uint32_t, std::size_t> by_start_;  // by the first four
};

}  // namespace nightdrop::simulator

#include "simulator/story/pan_scan.hpp"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <utility>

#include "emv/pan.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::simulator {
namespace {

constexpr std::size_t start_bytes = 4;

std::uint32_t start_of(const char* bytes) {
  std::uint32_t start = 0;
  std::memcpy(&start, bytes, start_bytes);
  return start;
}

// The digits two to a byte; an odd one is left out at the end.
std::string packed(std::string_view digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += static_cast<char>(((digits[i] - '0') << 4) | (digits[i + 1] - '0'));
  }
  return bytes;
}

std::string wide(std::string_view digits) {
  std::string bytes;
  for (const char digit : digits) (bytes += digit) += '\0';
  bytes.pop_back();  // UTF-16 of either order holds it
  return bytes;
}

// What base64 of anything that holds `bytes` must hold, when they begin `shift` bytes into a group of three: without
// the characters that depend on what stands before or after.
std::string base64_inside(const std::string& bytes, std::size_t shift) {
  const std::string text = to_base64(bytes_of(std::string(shift, 'x') + bytes));
  const std::size_t first = shift == 0 ? 0 : shift + 1;
  const std::size_t end = (shift + bytes.size()) * 8 / 6;
  return text.substr(first, end - first);
}

std::uint16_t pair_of(const char* bytes) {
  std::uint16_t pair = 0;
  std::memcpy(&pair, bytes, sizeof pair);
  return pair;
}

}  // namespace

PanScanner::PanScanner(const std::set<std::string>& pans) : pans_(pans.size()), begins_(1U << 16U) {
  for (const std::string& pan : pans) {
    const std::string last4 = emv::last4(pan);
    add({pan, "digits", last4});
    add({wide(pan), "digits in UTF-16", last4});
    add({hex_upper(bytes_of(pan)), "hex of the digits", last4});
    add_base64(pan, "base64 of the digits", last4);
    add_base64(packed(pan), "base64 of packed digits", last4);
    add_packed(pan);
  }
}

// Two digits to a byte, from a whole byte on and from half a byte on. Digits that fill half a byte are held to it.
void PanScanner::add_packed(const std::string& pan) {
  const std::string last4 = emv::last4(pan);
  const int first = pan.front() - '0';
  const int last = pan.back() - '0';
  const bool odd = pan.size() % 2 != 0;
  add({packed(pan), "packed digits", last4, -1, odd ? last : -1});
  add({packed(std::string_view(pan).substr(1)), "packed digits", last4, first, odd ? -1 : last});
}

void PanScanner::add_base64(const std::string& bytes, const char* form, const std::string& last4) {
  constexpr std::size_t different_least = 6;
  for (std::size_t shift = 0; shift < 3; ++shift) {
    std::string text = base64_inside(bytes, shift);
    if (std::set<char>(text.begin(), text.end()).size() >= different_least) add({std::move(text), form, last4});
  }
}

void PanScanner::add(Pattern pattern) {
  begins_[pair_of(pattern.bytes.data())] = true;
  by_start_.emplace(start_of(pattern.bytes.data()), patterns_.size());
  patterns_.push_back(std::move(pattern));
}

bool PanScanner::Pattern::matches(std::string_view text, std::size_t at) const {
  if (!text.substr(at).starts_with(bytes)) return false;
  const std::size_t end = at + bytes.size();
  if (nibble_before >= 0 && (at == 0 || (text[at - 1] & 0x0F) != nibble_before)) return false;
  return nibble_after < 0 ||
         (end < text.size() && (static_cast<unsigned char>(text[end]) >> 4U) == static_cast<unsigned>(nibble_after));
}

void PanScanner::scan(std::string_view bytes, const std::string& file, std::vector<PanFinding>& findings) const {
  const std::size_t most = findings.size() + findings_max;
  for (std::size_t at = 0; at + start_bytes <= bytes.size() && findings.size() < most; ++at) {
    if (!begins_[pair_of(bytes.data() + at)]) continue;
    const auto [first, last] = by_start_.equal_range(start_of(bytes.data() + at));
    for (auto each = first; each != last; ++each) {
      const Pattern& pattern = patterns_[each->second];
      if (pattern.matches(bytes, at)) findings.push_back({file, pattern.form, pattern.last4});
    }
  }
}

PanScan PanScanner::scan_folder(const std::string& folder) const {
  namespace fs = std::filesystem;
  PanScan scan_result;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (!at->is_regular_file(error)) continue;
    std::ifstream file(at->path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (!file) {
      ++scan_result.unreadable;
      continue;
    }
    ++scan_result.files;
    scan_result.bytes += bytes.size();
    scan(bytes, at->path().string(), scan_result.findings);
  }
  if (error) ++scan_result.unreadable;
  return scan_result;
}

}  // namespace nightdrop::simulator

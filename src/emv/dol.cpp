// Data object lists, parsed and answered.
#include "emv/dol.hpp"

#include <algorithm>

#include "emv/dictionary.hpp"

namespace nightdrop::emv {
namespace {

// Only the top level counts: a value inside a template belongs to that template.
std::optional<Bytes> find_flat(Bytes objects, Tag tag) {
  TlvReader reader(objects);
  for (;;) {
    const auto object = reader.next();
    if (!object || !*object) return std::nullopt;
    if ((*object)->tag == tag) return (*object)->value;
  }
}

void append_fitted(std::vector<std::uint8_t>& out, Bytes value, std::size_t length, Format format) {
  const std::size_t kept = std::min(value.size(), length);
  const std::size_t missing = length - kept;
  const bool right = format == Format::Numeric;
  const Bytes part = right ? value.last(kept) : value.first(kept);
  if (right) out.insert(out.end(), missing, 0x00);
  out.insert(out.end(), part.begin(), part.end());
  if (!right) out.insert(out.end(), missing, format == Format::CompressedNumeric ? 0xFF : 0x00);
}

}  // namespace

Result<std::vector<DolEntry>> parse_dol(Bytes dol) {
  std::vector<DolEntry> entries;
  while (!dol.empty()) {
    const auto tag = take_tag(dol);
    if (!tag) return std::unexpected(tag.error());
    if (dol.empty()) return failure(Errc::Malformed, "A data object list ends before its last length.");
    entries.push_back({*tag, dol.front()});
    dol = dol.subspan(1);
  }
  return entries;
}

Result<std::vector<std::uint8_t>> build_dol(Bytes dol, std::span<const Bytes> sources) {
  const auto entries = parse_dol(dol);
  if (!entries) return std::unexpected(entries.error());
  std::vector<std::uint8_t> out;
  for (const auto& [tag, length] : *entries) {
    std::optional<Bytes> value;
    for (std::size_t i = 0; i < sources.size() && !value && !is_constructed(tag); ++i)
      value = find_flat(sources[i], tag);
    if (value) {
      append_fitted(out, *value, length, tag_format(tag));
    } else {
      out.insert(out.end(), length, 0x00);
    }
  }
  return out;
}

}  // namespace nightdrop::emv

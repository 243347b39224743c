// What the TLV fuzzer does with one input: every parser of src/emv, and the promises they keep for any bytes. Used by
// the libFuzzer program and, with random and truncated inputs, by the property tests.
#pragma once

#include <algorithm>
#include <array>

#include "emv/chip_words.hpp"
#include "emv/cryptogram.hpp"
#include "emv/dictionary.hpp"
#include "emv/dol.hpp"
#include "emv/tlv.hpp"
#include "emv/track2.hpp"

namespace nightdrop::fuzz {

// Writes the objects again in their shortest form. Requires: check_tlv(bytes).
inline std::vector<std::uint8_t> rewrite(emv::Bytes bytes) {
  emv::TlvBuilder builder;
  emv::TlvReader reader(bytes);
  for (;;) {
    const auto object = reader.next();
    ND_ASSERT(object.has_value());
    if (!*object) return builder.take();
    const auto& [tag, value] = **object;
    if (emv::is_constructed(tag)) {
      builder.put(tag, rewrite(value));
    } else {
      builder.put(tag, value);
    }
  }
}

// Runs every parser over the bytes. Stops the process if one breaks its promise.
inline void exercise_tlv(emv::Bytes bytes) {
  if (emv::check_tlv(bytes)) {
    const auto shortest = rewrite(bytes);
    ND_ASSERT(shortest.size() <= bytes.size());
    ND_ASSERT(emv::check_tlv(shortest).has_value());
    ND_ASSERT(rewrite(shortest) == shortest);
  }
  if (const auto found = emv::find_tlv(bytes, 0x9F26)) {
    ND_ASSERT(found->data() >= bytes.data() && found->data() + found->size() <= bytes.data() + bytes.size());
  }
  if (const auto entries = emv::parse_dol(bytes)) {
    std::size_t size = 0;
    for (const auto& entry : *entries) size += entry.length;
    const std::array sources{bytes};
    ND_ASSERT(emv::build_dol(bytes, sources).value().size() == size);
  }
  if (const auto track = emv::Track2::parse(bytes)) {
    std::array<std::uint8_t, emv::track2_bytes_max> out{};
    const auto size =
        emv::write_track2(out, track->pan(), track->expiry_yymm(), track->service_code(), track->discretionary());
    ND_ASSERT(size.has_value() && std::ranges::equal(std::span(out).first(*size), bytes));
  }
  if (const auto chosen = emv::select_for_acquirer(bytes)) ND_ASSERT(emv::check_tlv(*chosen).has_value());
  static_cast<void>(emv::parse_generate_ac(bytes));
  static_cast<void>(emv::cryptogram_of(bytes));
  static_cast<void>(emv::parse_gpo(bytes));
  static_cast<void>(emv::cvm_words(bytes));
  static_cast<void>(emv::tvr_words(bytes));
  static_cast<void>(emv::tsi_words(bytes));
}

}  // namespace nightdrop::fuzz

// Properties of the EMV codecs for any input: what is built is read back, and no bytes, random, mutated or cut short,
// make a parser crash or touch memory outside its input. Inputs stand against an unreadable page, so that an overread
// is a crash in every build, sanitizer or not.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emv/pan.hpp"
#include "fuzz/tlv_target.hpp"

namespace nightdrop::emv {
namespace {

// Bytes whose end is the end of readable memory.
class GuardedBytes {
 public:
  explicit GuardedBytes(Bytes bytes) : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    body_ = (bytes.size() / page_ + 1) * page_;
    void* memory = mmap(nullptr, body_ + page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ND_ASSERT(memory != MAP_FAILED);
    base_ = static_cast<std::uint8_t*>(memory);
    ND_ASSERT(mprotect(base_ + body_, page_, PROT_NONE) == 0);
    view_ = {base_ + body_ - bytes.size(), bytes.size()};
    std::ranges::copy(bytes, base_ + body_ - bytes.size());
  }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  ~GuardedBytes() { munmap(base_, body_ + page_); }
  Bytes view() const { return view_; }

 private:
  std::size_t page_;
  std::size_t body_{0};
  std::uint8_t* base_{nullptr};
  Bytes view_;
};

using Buffer = std::vector<std::uint8_t>;

rc::Gen<Tag> any_tag(bool constructed) {
  return rc::gen::map(rc::gen::arbitrary<std::uint32_t>(), [constructed](std::uint32_t seed) {
    Tag first = seed & 0xDFU;
    if (constructed) first |= 0x20U;
    const auto more = seed >> 8U & 0x3U;  // up to three further bytes
    if (more == 0) {
      first &= ~Tag{1};  // low bits not all set
      return first == 0 ? Tag{0x42} : first;
    }
    Tag tag = first | 0x1FU;
    for (unsigned i = 0; i < more; ++i) tag = tag << 8U | (seed >> (10 + 7 * i) & 0x7FU) | (i + 1 < more ? 0x80U : 0U);
    return tag;
  });
}

rc::Gen<Buffer> any_value() {
  return rc::gen::mapcat(rc::gen::weightedElement<int>({{20, 0}, {2, 1}, {1, 2}}), [](int kind) {
    if (kind == 0) return rc::gen::arbitrary<Buffer>();
    const int low = kind == 1 ? 120 : 250;
    const int high = kind == 1 ? 140 : 600;
    return rc::gen::mapcat(rc::gen::inRange(low, high), [](int size) {
      return rc::gen::container<Buffer>(static_cast<std::size_t>(size), rc::gen::arbitrary<std::uint8_t>());
    });
  });
}

struct Node {
  Tag tag{0};
  Buffer value;
  std::vector<Node> children;
};

Node any_node(int depth) {
  Node node;
  if (depth > 0 && *rc::gen::inRange(0, 3) == 0) {
    node.tag = *any_tag(true);
    const int count = *rc::gen::inRange(0, 4);
    for (int i = 0; i < count; ++i) node.children.push_back(any_node(depth - 1));
  } else {
    node.tag = *any_tag(false);
    node.value = *any_value();
  }
  return node;
}

std::vector<Node> any_nodes() {
  std::vector<Node> nodes;
  const int count = *rc::gen::inRange(0, 6);
  for (int i = 0; i < count; ++i) nodes.push_back(any_node(4));
  return nodes;
}

Buffer encode(const std::vector<Node>& nodes) {
  TlvBuilder builder;
  for (const auto& node : nodes) builder.put(node.tag, is_constructed(node.tag) ? encode(node.children) : node.value);
  return builder.take();
}

// A longer form of each length than needed, and 00 bytes between objects: legal, and must read the same.
Buffer encode_loosely(const std::vector<Node>& nodes) {
  Buffer out;
  for (const auto& node : nodes) {
    const Buffer value = is_constructed(node.tag) ? encode_loosely(node.children) : node.value;
    out.insert(out.end(), static_cast<std::size_t>(*rc::gen::inRange(0, 3)), 0x00);
    for (std::size_t i = tag_size(node.tag); i-- > 0;) out.push_back(static_cast<std::uint8_t>(node.tag >> (8 * i)));
    out.push_back(0x82);
    out.push_back(static_cast<std::uint8_t>(value.size() >> 8U));
    out.push_back(static_cast<std::uint8_t>(value.size()));
    out.insert(out.end(), value.begin(), value.end());
  }
  return out;
}

void expect_same(Bytes encoded, const std::vector<Node>& nodes) {
  TlvReader reader(encoded);
  for (const auto& node : nodes) {
    const auto object = reader.next();
    RC_ASSERT(object.has_value());
    RC_ASSERT(object->has_value());
    RC_ASSERT((*object)->tag == node.tag);
    if (is_constructed(node.tag)) {
      expect_same((*object)->value, node.children);
    } else {
      RC_ASSERT(std::ranges::equal((*object)->value, node.value));
    }
  }
  const auto end = reader.next();
  RC_ASSERT(end.has_value());
  RC_ASSERT(!end->has_value());
}

RC_GTEST_PROP(EmvProperty, WhatIsBuiltIsReadBack, ()) {
  const auto nodes = any_nodes();
  const auto encoded = encode(nodes);
  const GuardedBytes guarded(encoded);
  RC_ASSERT(check_tlv(guarded.view()).has_value());
  expect_same(guarded.view(), nodes);
  RC_ASSERT(fuzz::rewrite(guarded.view()) == encoded);
}

RC_GTEST_PROP(EmvProperty, LongerFormsAndPaddingReadTheSame, ()) {
  const auto nodes = any_nodes();
  const auto encoded = encode_loosely(nodes);
  RC_PRE(encoded.size() < tlv_value_max);
  expect_same(encoded, nodes);
  RC_ASSERT(fuzz::rewrite(encoded) == encode(nodes));
}

RC_GTEST_PROP(EmvProperty, AnyBytesAreSafe, (const Buffer& bytes)) {
  const GuardedBytes guarded(bytes);
  fuzz::exercise_tlv(guarded.view());
}

RC_GTEST_PROP(EmvProperty, EveryTruncationIsSafe, ()) {
  const auto encoded = encode(any_nodes());
  const auto cut = *rc::gen::inRange<std::size_t>(0, encoded.size() + 1);
  const GuardedBytes guarded(Bytes(encoded).first(cut));
  fuzz::exercise_tlv(guarded.view());
}

RC_GTEST_PROP(EmvProperty, EveryMutationIsSafe, ()) {
  auto encoded = encode(any_nodes());
  RC_PRE(!encoded.empty());
  const auto at = *rc::gen::inRange<std::size_t>(0, encoded.size());
  encoded[at] = *rc::gen::arbitrary<std::uint8_t>();
  const GuardedBytes guarded(encoded);
  fuzz::exercise_tlv(guarded.view());
}

RC_GTEST_PROP(EmvProperty, OneObjectCutShortIsRefused, ()) {
  Node node;
  node.tag = *any_tag(false);
  node.value = *any_value();
  const auto encoded = encode({node});
  const auto cut = *rc::gen::inRange<std::size_t>(1, encoded.size());
  RC_ASSERT(!check_tlv(Bytes(encoded).first(cut)).has_value());
}

RC_GTEST_PROP(EmvProperty, NothingThatIdentifiesTheCardIsSelected, ()) {
  TlvBuilder builder;
  const auto count = *rc::gen::inRange(0, 12);
  for (int i = 0; i < count; ++i) {
    const Tag tag =
        *rc::gen::element<Tag>(0x57, 0x5A, 0x56, 0x5F20, 0x5F24, 0x9F6B, 0x9F1F, 0x9F20, 0x9F26, 0x95, 0xDF01);
    builder.put(tag, *any_value());
  }
  const auto chosen = select_for_acquirer(builder.bytes());
  RC_ASSERT(chosen.has_value());
  TlvReader reader(*chosen);
  for (auto object = reader.next(); object.value(); object = reader.next()) {
    RC_ASSERT((*object)->tag == 0x9F26 || (*object)->tag == 0x95);
  }
}

RC_GTEST_PROP(EmvProperty, TheCheckDigitFitsAndNoOtherDoes, ()) {
  const auto digits = *rc::gen::container<std::string>(15, rc::gen::inRange('0', ':'));
  int valid = 0;
  for (char last = '0'; last <= '9'; ++last) valid += luhn_valid(digits + last) ? 1 : 0;
  RC_ASSERT(valid == 1);
  RC_ASSERT(luhn_valid(digits + luhn_check_digit(digits)));
}

RC_GTEST_PROP(EmvProperty, AMaskNeverShowsMoreThanFourDigits, (const std::string& text)) {
  const auto masked = mask_pan(text);
  RC_ASSERT(std::ranges::count_if(masked, [](char c) { return c != '*'; }) <= 4);
}

}  // namespace
}  // namespace nightdrop::emv

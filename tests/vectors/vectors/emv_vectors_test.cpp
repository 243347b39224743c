// Every vector of tests/vectors/emv_tlv.json: published and constructed TLV, DOLs, cryptograms, track 2, card numbers,
// brands. The file is read as it is; a list that is empty fails.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "emv/brand.hpp"
#include "emv/cryptogram.hpp"
#include "emv/dictionary.hpp"
#include "emv/dol.hpp"
#include "emv/pan.hpp"
#include "emv/tlv.hpp"
#include "emv/track2.hpp"
#include "json/json.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::emv {
namespace {

const Json& vectors() {
  static const Json document = [] {
    std::ifstream file(std::string(NIGHTDROP_SOURCE_DIR) + "/tests/vectors/emv_tlv.json");
    std::stringstream text;
    text << file.rdbuf();
    auto parsed = Json::parse(text.str());
    ND_ASSERT(parsed.has_value());
    return std::move(*parsed);
  }();
  return document;
}

std::vector<JsonView> list(std::string_view name) {
  auto items = vectors()[name].items();
  EXPECT_FALSE(items.empty()) << name;
  return items;
}

std::string text(JsonView view) {
  return std::string(view.string().value_or(""));
}
std::vector<std::uint8_t> bytes(JsonView view) {
  return from_hex(text(view)).value();
}
Tag tag_of(JsonView view) {
  Tag tag = 0;
  for (const auto byte : bytes(view)) tag = tag << 8U | byte;
  return tag;
}

void expect_tree(Bytes encoded, const std::vector<JsonView>& nodes) {
  TlvReader reader(encoded);
  for (const auto& node : nodes) {
    const auto object = reader.next();
    ASSERT_TRUE(object.has_value() && object->has_value());
    EXPECT_EQ((*object)->tag, tag_of(node["tag"])) << text(node["tag"]);
    EXPECT_EQ(hex_upper((*object)->value), text(node["value"]));
    EXPECT_EQ((*object)->value.size(), static_cast<std::size_t>(node["length"].integer().value()));
    EXPECT_EQ(is_constructed((*object)->tag), node["constructed"].boolean().value_or(false));
    if (node["children"].exists()) expect_tree((*object)->value, node["children"].items());
  }
  const auto end = reader.next();
  ASSERT_TRUE(end.has_value());
  EXPECT_FALSE(end->has_value());
}

TEST(EmvVectors, Tlv) {
  for (const auto& vector : list("tlv")) {
    SCOPED_TRACE(text(vector["id"]));
    const auto encoded = bytes(vector["hex"]);
    EXPECT_TRUE(check_tlv(encoded).has_value());
    expect_tree(encoded, vector["tree"].items());
  }
}

TEST(EmvVectors, NegativeTlv) {
  for (const auto& vector : list("negative_tlv")) {
    const auto encoded = bytes(vector["hex"]);
    const auto checked = check_tlv(encoded);
    ASSERT_FALSE(checked.has_value()) << text(vector["why"]);
    EXPECT_EQ(checked.error().code, Errc::Malformed);
  }
}

std::vector<std::uint8_t> encode(const std::vector<JsonView>& nodes) {
  TlvBuilder builder;
  for (const auto& node : nodes) {
    const bool nested = node["children"].exists();
    builder.put(tag_of(node["tag"]), nested ? encode(node["children"].items()) : bytes(node["value"]));
  }
  return builder.take();
}

TEST(EmvVectors, Encode) {
  for (const auto& vector : list("encode")) EXPECT_EQ(hex_upper(encode(vector["nodes"].items())), text(vector["hex"]));
}

TEST(EmvVectors, GenerateAc) {
  for (const auto& vector : list("generate_ac")) {
    SCOPED_TRACE(text(vector["hex"]));
    const auto encoded = bytes(vector["hex"]);
    const bool flat = vector["format"].is_string();
    const auto result = flat ? cryptogram_of(encoded) : parse_generate_ac(encoded);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(hex_upper(std::array{result->cid}), text(vector["cid"]));
    constexpr std::array names{"AAC", "TC", "ARQC", "RFU"};
    EXPECT_EQ(names[static_cast<std::size_t>(result->type())], text(vector["type"]));
    EXPECT_EQ(
        hex_upper(std::array{static_cast<std::uint8_t>(result->atc >> 8U), static_cast<std::uint8_t>(result->atc)}),
        text(vector["atc"]));
    EXPECT_EQ(result->ac ? hex_upper(*result->ac) : "", text(vector["ac"]));
    EXPECT_EQ(static_cast<std::int64_t>(result->signed_data_size), vector["sdad_length"].integer().value_or(0));
    EXPECT_EQ(hex_upper(result->iad), text(vector["iad"]));
  }
}

TEST(EmvVectors, Gpo) {
  for (const auto& vector : list("gpo")) {
    const auto result = parse_gpo(bytes(vector["hex"]));
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(hex_upper(result->aip), text(vector["aip"]));
    const auto entries = vector["afl"].items();
    ASSERT_EQ(result->afl.size(), entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
      EXPECT_EQ(result->afl[i].sfi, entries[i]["sfi"].integer());
      EXPECT_EQ(result->afl[i].first, entries[i]["first"].integer());
      EXPECT_EQ(result->afl[i].last, entries[i]["last"].integer());
      EXPECT_EQ(result->afl[i].oda_records, entries[i]["oda_records"].integer());
    }
  }
}

TEST(EmvVectors, Track2) {
  for (const auto& vector : list("track2")) {
    const auto track = Track2::parse(bytes(vector["hex"]));
    ASSERT_TRUE(track.has_value()) << text(vector["hex"]);
    EXPECT_EQ(track->pan(), text(vector["pan"]));
    EXPECT_EQ(track->expiry_yymm(), text(vector["expiry_yymm"]));
    EXPECT_EQ(track->service_code(), text(vector["service_code"]));
    EXPECT_EQ(track->discretionary(), text(vector["discretionary"]));
    EXPECT_EQ(track->padded(), vector["pad_nibble"].boolean());
    EXPECT_EQ(luhn_valid(track->pan()), vector["luhn"].boolean());
    std::array<std::uint8_t, track2_bytes_max> out{};
    const auto size =
        write_track2(out, track->pan(), track->expiry_yymm(), track->service_code(), track->discretionary());
    ASSERT_TRUE(size.has_value());
    EXPECT_EQ(hex_upper(std::span(out).first(*size)), text(vector["hex"]));
  }
}

TEST(EmvVectors, Track2Negative) {
  for (const auto& vector : list("track2_negative")) {
    EXPECT_FALSE(Track2::parse(bytes(vector["hex"])).has_value()) << text(vector["why"]);
  }
}

TEST(EmvVectors, Dol) {
  for (const auto& vector : list("dol")) {
    SCOPED_TRACE(text(vector["name"]));
    const auto dol = bytes(vector["hex"]);
    const auto parsed = parse_dol(dol);
    ASSERT_TRUE(parsed.has_value());
    const auto entries = vector["entries"].items();
    ASSERT_EQ(parsed->size(), entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
      EXPECT_EQ((*parsed)[i].tag, tag_of(entries[i]["tag"]));
      EXPECT_EQ((*parsed)[i].length, entries[i]["length"].integer());
    }
    EXPECT_EQ(static_cast<std::int64_t>(build_dol(dol, {}).value().size()), vector["data_length"].integer());
  }
}

TEST(EmvVectors, DolNegative) {
  for (const auto& vector : list("dol_negative")) {
    EXPECT_FALSE(parse_dol(bytes(vector["hex"])).has_value()) << text(vector["why"]);
  }
}

TEST(EmvVectors, DolBuild) {
  for (const auto& vector : list("dol_build")) {
    SCOPED_TRACE(text(vector["name"]));
    std::vector<std::vector<std::uint8_t>> encoded;
    for (const auto& source : vector["sources"].items()) {
      TlvBuilder builder;
      for (const auto& object : source.items()) {
        builder.put(tag_of(object["tag"]), bytes(object["value"]));
        EXPECT_EQ(format_name(tag_format(tag_of(object["tag"]))), text(object["format"])) << text(object["tag"]);
      }
      encoded.push_back(builder.take());
    }
    const std::vector<Bytes> sources(encoded.begin(), encoded.end());
    const auto data = build_dol(bytes(vector["dol"]), sources);
    ASSERT_TRUE(data.has_value());
    EXPECT_EQ(hex_upper(*data), text(vector["data"]));
  }
}

TEST(EmvVectors, TestPans) {
  for (const auto& vector : list("test_pans")) {
    const auto pan = text(vector["pan"]);
    EXPECT_EQ(luhn_valid(pan), vector["luhn"].boolean()) << pan;
    EXPECT_TRUE(pan_valid(pan)) << pan;
    EXPECT_EQ(luhn_check_digit(pan.substr(0, pan.size() - 1)), pan.back()) << pan;
    // Where the IIN misleads (iin_only), the vector's brand is the misleading one that the IIN alone gives.
    if (text(vector["note"]).find("eftpos") == std::string::npos) {
      EXPECT_EQ(scheme_name(scheme_of_pan(pan)), text(vector["brand"])) << pan;
    }
    EXPECT_EQ(mask_pan(pan), std::string(pan.size() - 4, '*') + pan.substr(pan.size() - 4));
  }
}

TEST(EmvVectors, BadPans) {
  for (const auto& vector : list("bad_pans")) {
    EXPECT_EQ(luhn_valid(text(vector["pan"])), vector["luhn"].boolean());
    EXPECT_FALSE(pan_valid(text(vector["pan"]))) << text(vector["pan"]);
  }
}

TEST(EmvVectors, IinRanges) {
  for (const auto& range : list("iin_ranges")) {
    for (const auto& length : range["pan_lengths"].items()) {
      const auto size = static_cast<std::size_t>(length.integer().value());
      for (const auto* end : {"from", "to"}) {
        std::string pan = text(range[end]);
        pan.resize(size, end[0] == 'f' ? '0' : '9');
        EXPECT_EQ(scheme_name(scheme_of_pan(pan)), text(range["brand"])) << pan;
      }
    }
  }
}

TEST(EmvVectors, IinEdges) {
  for (const auto& edge : list("iin_edges")) {
    std::string pan = text(edge["iin"]);
    pan.resize(static_cast<std::size_t>(edge["pan_length"].integer().value()), '0');
    const auto expected = edge["brand"].is_null() ? "unknown" : text(edge["brand"]);
    EXPECT_EQ(scheme_name(scheme_of_pan(pan)), expected) << pan;
  }
}

TEST(EmvVectors, Aids) {
  for (const auto& vector : list("aids")) {
    auto aid = bytes(vector["aid"]);
    // Diners has Discover's application: the AID gives Discover's name and the same brand.
    const auto expected = text(vector["brand"]) == "diners" ? "discover" : text(vector["brand"]);
    EXPECT_EQ(scheme_name(scheme_of_aid(aid)), expected) << text(vector["aid"]);
    aid.push_back(0x01);  // a card's own AID may go on
    EXPECT_EQ(scheme_name(scheme_of_aid(aid)), expected) << text(vector["aid"]);
    aid.resize(4);
    EXPECT_EQ(scheme_of_aid(aid), Scheme::Unknown);
  }
}

}  // namespace
}  // namespace nightdrop::emv

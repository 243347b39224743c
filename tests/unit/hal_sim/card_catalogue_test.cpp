// The catalogue as a table, and every card of it read once: well-formed EMV data with all that is promised and nothing
// that identifies the card.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "card_bench.hpp"
#include "emv/brand.hpp"
#include "emv/chip_words.hpp"
#include "emv/cryptogram.hpp"
#include "emv/dictionary.hpp"
#include "emv/pan.hpp"
#include "emv/track2.hpp"
#include "hal/sim/card_hooks.hpp"
#include "hal/sim/card_kernel.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::hal {
namespace {

using emv::find_tlv;
using emv::Tag;

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string hex_of(emv::Bytes list, Tag tag) {
  return hex_upper(find_tlv(list, tag).value_or(emv::Bytes{}));
}

std::vector<Tag> tags_of(emv::Bytes list) {
  std::vector<Tag> tags;
  emv::TlvReader reader(list);
  for (auto object = reader.next(); object.value(); object = reader.next()) tags.push_back((*object)->tag);
  return tags;
}

CardData read(std::string_view name) {
  CardBench bench;
  return std::get<CardData>(bench.meet(*find_card(name)));
}

std::vector<std::uint8_t> packed(std::string_view pan) {
  std::string text(pan);
  if (text.size() % 2 != 0) text.push_back('F');
  return from_hex(text).value();
}

bool contains(emv::Bytes bytes, emv::Bytes part) {
  return !std::ranges::search(bytes, part).empty();
}

TEST(CardCatalogue, HasEveryCardOfTheContract) {
  std::vector<std::string> names;
  for (const auto* brand : {"visa", "mastercard", "amex", "discover", "unionpay", "jcb", "maestro", "eftpos",
                            "cartes_bancaires", "girocard", "interac", "nyce", "pulse", "star"}) {
    names.push_back(std::string(brand) + "_contact");
    names.push_back(std::string(brand) + "_contactless");
  }
  for (const auto* name :
       {"visa_swipe", "visa_fallback", "visa_keyed", "visa_expired", "visa_chip_refuses", "visa_offline_pin",
        "visa_online_pin", "visa_removed_early", "visa_wallet", "cobadged_visa", "visa_live"}) {
    names.emplace_back(name);
  }
  for (const auto* code : {"05", "14", "41", "43", "51", "54", "61", "62", "65", "91", "96"}) {
    names.push_back(std::string("visa_decline_") + code);
  }
  for (const auto& name : names) EXPECT_NE(find_card(name), nullptr) << name;
  EXPECT_EQ(card_catalogue().size(), names.size());
  EXPECT_EQ(find_card("visa"), nullptr);
}

TEST(CardCatalogue, NumbersAreValidAndEachCardsOwn) {
  std::set<std::string> pans;
  for (const auto& card : card_catalogue()) {
    EXPECT_TRUE(emv::pan_valid(card.pan)) << card.name;
    EXPECT_TRUE(pans.insert(card.pan).second) << card.name;
    EXPECT_FALSE(card.about.empty()) << card.name;
    EXPECT_EQ(card.test_card, card.name != "visa_live") << card.name;
    EXPECT_EQ(card.name.substr(0, 12) == "visa_decline", issuer_decline_code(card.pan).has_value()) << card.name;
    if (const auto code = issuer_decline_code(card.pan)) {
      EXPECT_EQ(card.name, "visa_decline_" + std::string(*code));
    }
  }
  EXPECT_FALSE(issuer_decline_code("").has_value());
}

TEST(CardCatalogue, BrandsAreThoseOfTheApplicationsWhereTheseTell) {
  for (const auto& card : card_catalogue()) {
    for (const auto& application : card.applications) {
      const auto scheme = emv::scheme_of_aid(from_hex(application.aid_hex).value());
      if (card.brand == Brand::Nyce || card.brand == Brand::Pulse || card.brand == Brand::Star) {
        EXPECT_EQ(scheme, emv::Scheme::UsCommonDebit) << card.name;
      } else if (card.name != "cobadged_visa") {
        EXPECT_EQ(emv::brand_of(scheme), card.brand) << card.name;
      }
    }
  }
}

// The data of a chip card that was not refused, tag by tag.
void expect_chip_data(const CardSpec& card, const CardData& data) {
  ASSERT_TRUE(emv::check_tlv(data.emv).has_value());
  std::vector<Tag> expected{0x9F26, 0x9F27, 0x9F10, 0x9F36, 0x9F37, 0x95,   0x9B,   0x9F34, 0x82,   0x84,
                            0x9A,   0x9C,   0x9F02, 0x9F03, 0x5F2A, 0x9F1A, 0x5F34, 0x9F33, 0x9F35, 0x9F1E};
  const bool visa_tap = card.brand == Brand::Visa && card.read_method == ReadMethod::ContactlessEmv;
  if (visa_tap) expected.push_back(0x9F6E);
  EXPECT_THAT(tags_of(data.emv), ::testing::UnorderedElementsAreArray(expected));
  EXPECT_EQ(hex_of(data.emv, 0x9F02), "000000001250");
  EXPECT_EQ(hex_of(data.emv, 0x5F2A), "0840");
  EXPECT_EQ(hex_of(data.emv, 0x9A), "261121");
  EXPECT_EQ(hex_of(data.emv, 0x9C), "00");
  EXPECT_EQ(hex_of(data.emv, 0x9F36), "0001");
  EXPECT_EQ(hex_of(data.emv, 0x9F37), "01020304");
  EXPECT_EQ(hex_of(data.emv, 0x9F1E), hex_upper(std::array<std::uint8_t, 8>{'N', 'D', '0', '0', '0', '0', '0', '1'}));
  const auto cryptogram = emv::cryptogram_of(data.emv);
  ASSERT_TRUE(cryptogram.has_value());
  EXPECT_EQ(cryptogram->type(), emv::CryptogramType::Arqc);
  for (const Tag tag : tags_of(data.emv)) EXPECT_FALSE(emv::identifies_card(tag));
  EXPECT_FALSE(contains(data.emv, packed(card.pan)));
  EXPECT_FALSE(contains(data.emv, data.pan.view()));

  std::vector<Tag> sensitive{0x57, 0x5A, 0x5F24, 0x5F34};
  if (card.read_method == ReadMethod::ContactEmv) sensitive.push_back(0x5F20);
  EXPECT_EQ(tags_of(data.sensitive.view()), sensitive);
  EXPECT_EQ(hex_of(data.sensitive.view(), 0x5A), hex_upper(packed(card.pan)));

  const auto& summary = data.summary;
  EXPECT_EQ(summary.application_cryptogram, hex_of(data.emv, 0x9F26));
  EXPECT_EQ(summary.dedicated_file_name, hex_of(data.emv, 0x84));
  EXPECT_EQ(summary.terminal_verification_results, hex_of(data.emv, 0x95));
  EXPECT_EQ(summary.transaction_status_information, hex_of(data.emv, 0x9B));
  EXPECT_EQ(summary.cardholder_verification_method, hex_of(data.emv, 0x9F34));
  EXPECT_FALSE(summary.application_preferred_name.empty());
  EXPECT_EQ(summary.cardholder_name.empty(), card.read_method != ReadMethod::ContactEmv);
}

TEST(CardCatalogue, EveryCardReadsAsItSays) {
  for (const auto& card : card_catalogue()) {
    SCOPED_TRACE(card.name);
    CardBench bench;
    const auto outcome = bench.meet(card);
    EXPECT_EQ(bench.outcomes, 1);
    if (card.behavior == CardBehavior::RemovedEarly) {
      EXPECT_EQ(std::get<CardFailed>(outcome).reason, CardFailure::Removed);
      continue;
    }
    if (card.behavior == CardBehavior::ChipRefuses) {
      EXPECT_EQ(std::get<CardRefused>(outcome).reason, CardRefusal::ChipDeclined);
      continue;
    }
    const auto& data = std::get<CardData>(outcome);
    EXPECT_TRUE(std::ranges::equal(data.pan.view(), card.pan));
    EXPECT_EQ(data.summary.brand, card.brand);
    EXPECT_EQ(data.summary.last4, card.pan.substr(card.pan.size() - 4));
    EXPECT_EQ(data.summary.exp_month, card.exp_month);
    EXPECT_EQ(data.summary.exp_year, card.exp_year);
    EXPECT_EQ(data.summary.read_method, card.read_method);
    EXPECT_EQ(data.summary.fallback, card.read_method == ReadMethod::MagneticStripeFallback);
    EXPECT_EQ(data.summary.fingerprint, "");
    EXPECT_EQ(data.test_card, card.test_card);
    EXPECT_EQ(data.expired, card.name == "visa_expired");
    EXPECT_EQ(data.offline_pin_verified, card.name == "visa_offline_pin");
    EXPECT_EQ(data.online_pin.empty(), card.name != "visa_online_pin");
    ASSERT_TRUE(emv::check_tlv(data.sensitive.view()).has_value());
    if (const auto track = find_tlv(data.sensitive.view(), 0x57)) {
      const auto parsed = emv::Track2::parse(*track);
      ASSERT_TRUE(parsed.has_value());
      EXPECT_EQ(parsed->pan(), card.pan);
      EXPECT_EQ(parsed->service_code(), card.service_code);
    }
    if (card.read_method == ReadMethod::ContactEmv || card.read_method == ReadMethod::ContactlessEmv) {
      expect_chip_data(card, data);
    } else {
      EXPECT_THAT(data.emv, IsEmpty());
      const bool keyed = card.read_method == ReadMethod::Keyed;
      EXPECT_EQ(tags_of(data.sensitive.view()), keyed ? (std::vector<Tag>{0x5A, 0x5F24}) : std::vector<Tag>{0x57});
    }
  }
}

TEST(CardKernel, VerificationShowsInEveryField) {
  const auto offline = read("visa_offline_pin");
  EXPECT_TRUE(emv::cvm_words(find_tlv(offline.emv, 0x9F34).value())->pin_by_card);
  EXPECT_EQ(hex_of(offline.emv, 0x95), "0000008000");
  const auto online = read("visa_online_pin");
  EXPECT_TRUE(emv::cvm_words(find_tlv(online.emv, 0x9F34).value())->online_pin);
  EXPECT_EQ(hex_of(online.emv, 0x95), "0000048000");
  EXPECT_TRUE(std::ranges::equal(online.online_pin.view(), std::string_view("1234")));
  EXPECT_EQ(hex_of(online.emv, 0x9B), "E800");
  const auto wallet = read("visa_wallet");
  EXPECT_EQ(hex_of(wallet.emv, 0x9F34), "1F0302");
  EXPECT_EQ(hex_of(wallet.emv, 0x9F6E), "238C0000");  // a phone
  EXPECT_EQ(hex_of(read("visa_contactless").emv, 0x9F6E), "20700000");
  EXPECT_EQ(hex_of(read("visa_contactless").emv, 0x95), "0000000000");
  EXPECT_EQ(hex_of(read("visa_expired").emv, 0x95), "0040008000");
  EXPECT_EQ(hex_of(read("visa_expired").sensitive.view(), 0x5F24), "201231");
}

TEST(CardKernel, CobadgedCardGoesByTheInternationalScheme) {
  const auto data = read("cobadged_visa");
  EXPECT_EQ(data.summary.dedicated_file_name, "A0000000031010");
  EXPECT_EQ(data.summary.brand, Brand::Visa);
  EXPECT_EQ(read("cartes_bancaires_contact").summary.dedicated_file_name, "A0000000421010");
}

TEST(CardKernel, RefusedCardTellsWhatItSaid) {
  CardBench bench;
  const auto refused = std::get<CardRefused>(bench.meet(*find_card("visa_chip_refuses")));
  EXPECT_EQ(refused.summary.last4, "0061");
  EXPECT_EQ(refused.summary.application_cryptogram.size(), 16U);
}

TEST(CardKernel, AmountCurrencyAndKindAreTheRequests) {
  CardBench bench;
  bench.request.amount = {amount_max, Currency{{'e', 'u', 'r'}}};
  bench.request.kind = ObjectKind::Refund;
  bench.request.now = 0;
  const auto data = std::get<CardData>(bench.meet(*find_card("mastercard_contact")));
  EXPECT_EQ(hex_of(data.emv, 0x9F02), "000099999999");
  EXPECT_EQ(hex_of(data.emv, 0x5F2A), "0978");
  EXPECT_EQ(hex_of(data.emv, 0x9C), "20");
  EXPECT_EQ(hex_of(data.emv, 0x9A), "700101");
}

TEST(CardKernel, CryptogramsDifferByCardAmountAndCounter) {
  KernelInput input;
  input.now = 1'795'290'003'123;
  input.amount = {1250, Currency{}};
  input.atc = 7;
  std::set<std::string> seen;
  const auto cryptogram = [&seen](const CardSpec& card, const KernelInput& with) {
    const auto outcome = read_chip(card, with);
    seen.insert(std::get<CardData>(outcome).summary.application_cryptogram);
  };
  const auto& card = *find_card("visa_contact");
  cryptogram(card, input);
  cryptogram(card, input);
  EXPECT_EQ(seen.size(), 1U);  // the same data, the same cryptogram
  auto other = input;
  other.atc = 8;
  cryptogram(card, other);
  other = input;
  other.amount.minor_units = 1251;
  cryptogram(card, other);
  other = input;
  other.unpredictable[3] = 1;
  cryptogram(card, other);
  cryptogram(*find_card("visa_live"), input);
  EXPECT_EQ(seen.size(), 5U);
}

TEST(CardKernel, ExpiryIsTheEndOfTheMonth) {
  OwnCard described;
  described.pan = "4242424242424242";
  described.exp_month = 2;
  described.exp_year = 2028;
  const auto card = own_card(described).value();
  constexpr UtcMs march_first = 1'835'481'600'000;  // 2028-03-01T00:00:00Z
  EXPECT_FALSE(read_keyed(card, march_first - 1).expired);
  EXPECT_TRUE(read_keyed(card, march_first).expired);
  EXPECT_EQ(hex_of(read_keyed(card, 0).sensitive.view(), 0x5F24), "280229");
}

TEST(OwnCard, BehavesLikeTheContactlessCardOfItsBrand) {
  OwnCard described;
  described.pan = "378282246310005";
  CardBench bench;
  const auto data = std::get<CardData>(bench.meet(own_card(described).value()));
  EXPECT_EQ(data.summary.brand, Brand::Amex);
  EXPECT_EQ(data.summary.read_method, ReadMethod::ContactlessEmv);
  EXPECT_EQ(data.summary.dedicated_file_name, find_card("amex_contactless")->applications[0].aid_hex);
  described.pan = "9999999999999995";
  EXPECT_EQ(own_card(described)->brand, Brand::Unknown);
  EXPECT_TRUE(std::holds_alternative<CardData>(bench.meet(own_card(described).value())));
}

TEST(OwnCard, NamesTheFieldThatIsWrongAndNeverTheNumber) {
  const auto field = [](OwnCard card) {
    const auto made = own_card(card);
    if (made) return std::string("none");
    if (!card.pan.empty()) {
      EXPECT_EQ(made.error().message.find(card.pan), std::string::npos);
    }
    return made.error().field;
  };
  OwnCard good;
  good.pan = "4242424242424242";
  EXPECT_EQ(field(good), "none");
  for (const auto* pan : {"", "42424242424", "42424242424242424242", "4242424242424241", "4242-4242-4242-4242"}) {
    auto card = good;
    card.pan = pan;
    EXPECT_EQ(field(card), "pan") << pan;
  }
  for (const std::int64_t month : {0, 13, -1}) {
    auto card = good;
    card.exp_month = month;
    EXPECT_EQ(field(card), "exp_month");
  }
  for (const std::int64_t year : {30, 1999, 2100}) {
    auto card = good;
    card.exp_year = year;
    EXPECT_EQ(field(card), "exp_year");
  }
  auto card = good;
  card.service_code = "20";
  EXPECT_EQ(field(card), "service_code");
  card = good;
  card.cardholder_name = "A\n";
  EXPECT_EQ(field(card), "cardholder_name");
}

TEST(CardJson, ReadsNamesAndDescriptionsStrictly) {
  const auto parsed = [](std::string_view text) {
    const auto json = Json::parse(text);
    return card_from_json(json->view());
  };
  EXPECT_EQ(parsed(R"("visa_swipe")")->name, "visa_swipe");
  EXPECT_EQ(parsed(R"("nobody")").error().field, "card");
  EXPECT_EQ(parsed("7").error().field, "card");
  const auto own = parsed(R"({"pan":"5555555555554444","exp_month":1,"exp_year":2031,"read_method":"contact_emv"})");
  ASSERT_TRUE(own.has_value());
  EXPECT_EQ(own->brand, Brand::Mastercard);
  EXPECT_EQ(own->exp_month, 1);
  EXPECT_EQ(own->read_method, ReadMethod::ContactEmv);
  EXPECT_EQ(parsed(R"({"pan":"5555555555554444","exp_mont":1})").error().field, "exp_mont");
  EXPECT_EQ(parsed(R"({"pan":5555})").error().field, "pan");
  EXPECT_EQ(parsed(R"({"pan":"5555555555554444","read_method":"osmosis"})").error().field, "read_method");
  EXPECT_EQ(parsed(R"({"pan":"5555555555554444","exp_month":13})").error().field, "exp_month");
  EXPECT_EQ(parsed("{}").error().field, "pan");
}

TEST(CardJson, ListsTheCatalogue) {
  const auto list = catalogue_json();
  const auto items = list.view().items();
  ASSERT_EQ(items.size(), card_catalogue().size());
  for (const auto& item : items) {
    const auto* card = find_card(item["name"].string().value());
    ASSERT_NE(card, nullptr);
    EXPECT_EQ(item["pan"].string(), card->pan);
    EXPECT_EQ(from_word<Brand>(item["brand"].string().value()), card->brand);
    EXPECT_EQ(from_word<ReadMethod>(item["read_method"].string().value()), card->read_method);
    EXPECT_FALSE(item["about"].string()->empty());
  }
}

}  // namespace
}  // namespace nightdrop::hal
